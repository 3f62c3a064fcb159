//! Prints the tables of `docs/scale.md`; with `--write`, puts them there.

use std::fs;

use anyhow::{Context, Result, bail};
use onceway_scale::page;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scale.md");

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => {
            for (name, table) in page::tables() {
                println!("{name}\n\n{table}");
            }
            Ok(())
        }
        Some("--write") => {
            let text = fs::read_to_string(PAGE).context("cannot read docs/scale.md")?;
            fs::write(PAGE, page::fill(&text)?).context("cannot write docs/scale.md")
        }
        Some(other) => bail!("{other} is no option; --write puts the tables into docs/scale.md"),
    }
}
