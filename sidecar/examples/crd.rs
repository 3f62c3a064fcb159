//! Prints the CRD generated from the Rust types: `cargo run -p onceway --example crd > deploy/chart-crds/templates/crd.yaml`.

fn main() -> anyhow::Result<()> {
    print!("{}", onceway::rr::crd_yaml()?);
    Ok(())
}
