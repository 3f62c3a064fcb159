//! Prints the CRD generated from the Rust types: `cargo run -p onceway --example crd > deploy/base/crd.yaml`.

fn main() -> anyhow::Result<()> {
    print!("{}", onceway::rr::crd_yaml()?);
    Ok(())
}
