//! `cargo xtask images` builds what goes into the images and then runs this program, which makes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use jiff::Timestamp;
use oci_spec::image::{Arch, Descriptor};
use onceway_images::labels::{Source, VERSION};
use onceway_images::layout::Layout;
use onceway_images::sbom::{self, Sbom};
use onceway_images::sidecar::Program;
use onceway_images::values::Registry;
use onceway_images::{filter, sidecar};

use self::report::Report;

mod report;

/// Make the container images from files that are built already.
#[derive(Debug, Parser)]
#[command(name = "images", version)]
struct Args {
    /// Directory for the layouts, one below it for each image
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The sidecar for a platform: `amd64=FILE`, `arm64=FILE`
    #[arg(long = "program", value_name = "ARCH=FILE", required = true, value_parser = program)]
    programs: Vec<(Arch, PathBuf)>,
    /// The filter's module
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// The page of `onceway explain`
    #[arg(long, value_name = "FILE")]
    page: PathBuf,
    /// Lists of what the sidecar's image is made of, as CycloneDX
    #[arg(long, value_name = "FILE")]
    sidecar_sbom: Vec<PathBuf>,
    /// Lists of what the module is made of, as CycloneDX
    #[arg(long, value_name = "FILE")]
    filter_sbom: Vec<PathBuf>,
    /// The commit of the sources
    #[arg(long)]
    revision: Option<String>,
    /// The commit's time, in seconds since 1970
    #[arg(long, value_name = "SECONDS")]
    created: Option<i64>,
    /// Where the images will be pushed; writes values.yaml for the Helm chart
    #[arg(long, value_name = "HOST/PATH", value_parser = registry)]
    registry: Option<Registry>,
}

fn program(text: &str) -> Result<(Arch, PathBuf), String> {
    let (arch, file) = text.split_once('=').ok_or("expected ARCH=FILE")?;
    let arch = [Arch::Amd64, Arch::ARM64].into_iter().find(|known| known.to_string() == arch);
    Ok((arch.ok_or("ARCH is amd64 or arm64")?, file.into()))
}

fn registry(text: &str) -> Result<Registry, String> {
    Registry::parse(text).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    match make(&Args::parse()) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Makes all images and their lists.
fn make(args: &Args) -> Result<Report> {
    let created = args.created.map(Timestamp::from_second).transpose().context("--created is no time")?;
    let source = Source { revision: args.revision.clone(), created };
    let (module, page) = (read(&args.module)?, read(&args.page)?);
    let programs = args.programs.iter().map(|(arch, file)| Ok(Program { arch: arch.clone(), content: read(file)? }));
    let programs = programs.collect::<Result<Vec<_>>>()?;

    let mut report = Report::new(&args.out, args.registry.clone());
    let image = image(args, sidecar::NAME, &source, &args.sidecar_sbom, &mut report, |layout| {
        sidecar::write(layout, &programs, &module, &page, &source)
    })?;
    let module = image_of_module(args, &module, &source, &mut report)?;

    // Values of an earlier run name images that are gone.
    let values = args.out.join("values.yaml");
    match &args.registry {
        Some(registry) => fs::write(&values, registry.values(&image, &module)),
        None if values.exists() => fs::remove_file(&values),
        None => Ok(()),
    }
    .with_context(|| format!("cannot write {}", values.display()))?;
    Ok(report)
}

fn image_of_module(args: &Args, module: &[u8], source: &Source, report: &mut Report) -> Result<Descriptor> {
    let write = |layout: &Layout| filter::write(layout, module, source);
    image(args, filter::NAME, source, &args.filter_sbom, report, write)
}

/// Makes one image, and the artifact with its lists if there are any.
fn image(
    args: &Args,
    name: &str,
    source: &Source,
    sboms: &[PathBuf],
    report: &mut Report,
    write: impl FnOnce(&Layout) -> Result<Descriptor>,
) -> Result<Descriptor> {
    let layout = Layout::create(&args.out.join(name))?;
    let image = write(&layout)?;
    layout.finish(image.clone(), VERSION)?;
    report.image(name, &layout, &image)?;

    // A layout of its own: crane pushes only layouts with one entry.
    let list = format!("{name}-sbom");
    let dir = args.out.join(&list);
    if sboms.is_empty() {
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        return Ok(image);
    }
    let layout = Layout::create(&dir)?;
    let sboms = sboms.iter().map(|file| Ok(Sbom { name: file_name(file)?, content: read(file)? }));
    let artifact = sbom::write(&layout, name, &image, &sboms.collect::<Result<Vec<_>>>()?, source)?;
    layout.finish(artifact.clone(), &format!("{VERSION}-sbom"))?;
    report.sbom(name, &layout, &artifact)?;
    Ok(image)
}

fn file_name(file: &Path) -> Result<String> {
    let name = file.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).with_context(|| format!("{} has no file name", file.display()))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    ensure!(!content.is_empty(), "{} is empty", file.display());
    Ok(content)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Args;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn an_unknown_platform_and_a_registry_with_a_scheme_are_rejected() {
        let parse = |extra: &[&str]| {
            let fixed = ["images", "--out", "o", "--module", "m", "--page", "p"];
            Args::try_parse_from(fixed.iter().chain(extra)).map_err(|error| error.to_string())
        };
        assert!(parse(&["--program", "amd64=onceway"]).is_ok());
        assert!(parse(&["--program", "sparc=onceway"]).unwrap_err().contains("amd64 or arm64"));
        assert!(parse(&["--program", "onceway"]).unwrap_err().contains("ARCH=FILE"));
        let registry = parse(&["--program", "amd64=onceway", "--registry", "https://x"]).unwrap_err();
        assert!(registry.contains("HOST/PATH"), "{registry}");
    }
}
