//! Finds, fetches or builds the real servers that the tests run against, and says where they are.

fn main() -> anyhow::Result<()> {
    for (name, path) in onceway_kit::tools::all()? {
        println!("{name}: {}", path.display());
    }
    Ok(())
}
