//! Finds, fetches or builds all servers, and prints where they are.

use onceway_tools::Tool;

fn main() -> anyhow::Result<()> {
    for tool in Tool::ALL {
        println!("{}: {}", tool.name(), tool.get()?.display());
    }
    Ok(())
}
