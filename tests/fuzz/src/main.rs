//! `cargo xtask fuzz`: see [`onceway_fuzz`].

use clap::Parser;
use onceway_fuzz::{Args, run};
use tokio::time::Instant;

fn main() -> anyhow::Result<()> {
    let (args, began) = (Args::parse(), Instant::now());
    let report = run(&args)?;
    println!("{report:#?}");
    println!("{} bodies in {} s, no trap, no difference", report.bodies, began.elapsed().as_secs());
    Ok(())
}
