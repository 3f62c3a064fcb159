//! What each command needs, and how it is run.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use onceway_tools::{Tool, setup};

use crate::build::{self, Goal};
use crate::cargo::{cargo, root};
use crate::images::FILTER_SECONDS;
use crate::page;
use crate::run::run;

/// What demo, benchmarks and soak run against; only tests need Alertmanager.
const SERVERS: &[Tool] = &[Tool::Envoy, Tool::KubeApiserver, Tool::Etcd];

/// Crates whose tests run no other program of ours and no server: `cargo xtask test -p` builds nothing else for them.
const PURE: [&str; 11] = [
    "onceway-signal",
    "onceway-claim",
    "onceway-explain",
    "onceway-page",
    "onceway-filter",
    "onceway-model",
    "onceway-scale",
    "onceway",
    "onceway-images",
    "onceway-tools",
    "xtask",
];

/// Tests that need more than others: their crate and target.
const E2E: (&str, &str) = ("onceway-e2e", "e2e");
const IMAGE: (&str, &str) = ("onceway-e2e", "image");
const GATEWAYS: (&str, &str) = ("onceway-gateways", "gateways");
const PAGE: (&str, &str) = ("onceway-page-tests", "page");
/// The variable that leaves the gateway matrix out, and its value.
const WITHOUT_GATEWAYS: (&str, &str) = ("ONCEWAY_WITHOUT_GATEWAYS", "1");
/// The module of all tests of [`IMAGE`].
const OF_IMAGE: &str = "in_an_empty_root::";

/// The environment variable that says which CRD rigs run with, and its value for kubernaut's.
const KUBERNAUTS_CRD: (&str, &str) = ("ONCEWAY_CRD", "kubernaut");
/// Which modules of the end-to-end tests depend on the CRD, a module a line, below the repository's root.
const MODULES_BY_CRD: &str = "tests/e2e/tests/crd/modules.txt";
/// The option of `crd-kubernaut` that runs only these.
const DEPENDENT: &str = "--dependent";

/// A program of the folder `tests`.
#[derive(Clone, Copy)]
pub(crate) enum Program {
    Demo,
    Bench,
    Soak,
    Fuzz,
}

impl Program {
    fn goal(self) -> Goal<'static> {
        let goal = |title, bins, seconds| Goal {
            title,
            bins,
            tests: None,
            clock: false,
            previous: false,
            images: false,
            page: false,
            comparisons: false,
            tools: SERVERS,
            seconds,
        };
        match self {
            Self::Demo => goal("Setting up the demo", &["demo"], 330),
            Self::Bench => goal("Setting up the benchmarks", &["bench", "baseline"], 600),
            Self::Soak => Goal { clock: true, ..goal("Setting up the soak", &["soak"], 330) },
            Self::Fuzz => Goal { tools: &[], ..goal("Building the fuzzer", &["fuzz"], 500) },
        }
    }
}

/// Builds what ships.
pub(crate) fn build() -> Result<()> {
    let goal = Goal {
        title: "Building",
        bins: &[],
        tests: None,
        clock: false,
        previous: false,
        images: false,
        page: false,
        comparisons: false,
        tools: &[],
        seconds: 250,
    };
    build::all(&goal).map(|built| built.print())
}

/// Runs a program of the folder `tests`, with these options of its own.
pub(crate) fn show(program: Program, options: &[String]) -> Result<()> {
    let mut goal = program.goal();
    if options.iter().any(|option| option == "--use-kubeconfig") {
        goal.tools = &[Tool::Envoy];
    }
    goal.comparisons = matches!(program, Program::Bench) && measures(options, "filter");
    let built = build::all(&goal)?;
    let mut command = Command::new(built.program(goal.bins[0]));
    command.args(options);
    built.set_environment(&mut command);
    run(command)
}

/// Whether the benchmarks with these options measure this one: all do if none is named.
fn measures(options: &[String], benchmark: &str) -> bool {
    let is_value = |place: usize| place > 0 && options[place - 1] == "--out";
    let names = options.iter().enumerate().filter(|(place, option)| !option.starts_with("--") && !is_value(*place));
    let names: Vec<&str> = names.map(|(_, name)| name.as_str()).collect();
    (names.is_empty() || names.contains(&benchmark)) && options.iter().all(|option| option != "--redraw")
}

/// Runs the model checker, which needs nothing but the protocol.
pub(crate) fn prove(options: &[String]) -> Result<()> {
    let mut prove = cargo(&["run", "--release", "--quiet", "--package", "onceway-model", "--bin", "prove", "--"]);
    prove.args(options);
    run(prove)
}

/// Computes what one cluster can take, from measured costs.
pub(crate) fn scale(options: &[String]) -> Result<()> {
    let mut scale = cargo(&["run", "--release", "--quiet", "--package", "onceway-scale", "--"]);
    scale.args(options);
    run(scale)
}

/// What the gateway matrix needs beside the servers, and no other test.
const OF_GATEWAYS: [Tool; 4] = [Tool::Crane, Tool::EnvoyGateway, Tool::PilotDiscovery, Tool::PilotAgent];

/// What the tests of the page need, and no other test.
const OF_PAGE: [Tool; 2] = [Tool::Chromium, Tool::AxeCore];

/// Makes the page, and prints its path; with `screenshot`, has Chromium show an example in it.
pub(crate) fn page(screenshot: Option<&Path>) -> Result<()> {
    let chromium: &[Tool] = if screenshot.is_some() { &[Tool::Chromium] } else { &[] };
    let page = setup::run("Making the page", chromium, page::SECONDS + FILTER_SECONDS, page::page)?;
    if let Some(file) = screenshot {
        let arguments = ["run", "--release", "--quiet", "--package", "onceway-page-tests", "--bin", "screenshot", "--"];
        let mut shot = cargo(&arguments);
        shot.arg(&page).arg(std::path::absolute(file)?);
        run(shot)?;
    }
    println!("{}", page.display());
    Ok(())
}

/// Runs `cargo test` with these options, of the whole workspace or of the packages that they name. The word `gateways` in front
/// stands for the gateway matrix, `without-images` for all that runs no container image, `crd-kubernaut` for the end-to-end tests
/// with kubernaut's CRD; with `--dependent` behind it, for those of them that depend on the CRD.
pub(crate) fn test(options: &[String]) -> Result<()> {
    // Of the whole workspace, whatever is run of it: a selection of its own would have dependencies built with other features.
    let of = |(_, target): (&str, &str)| ["--test", target].map(str::to_owned);
    match options.split_first().map(|(first, others)| (first.as_str(), others)) {
        Some(("gateways", others)) => run_tests(&[&of(GATEWAYS), others].concat(), None),
        Some(("without-images", others)) => run_tests(&without_images(others), Some(WITHOUT_GATEWAYS)),
        Some(("crd-kubernaut", others)) => {
            let mut options = [&of(E2E), others].concat();
            if let Some(place) = options.iter().position(|option| option == DEPENDENT) {
                options.remove(place);
                options.push("--".to_owned());
                options.extend(modules_by_crd()?);
            }
            run_tests(&options, Some(KUBERNAUTS_CRD))
        }
        _ => run_tests(options, None),
    }
}

/// These options, and that the tests of the image are left out.
fn without_images(options: &[String]) -> Vec<String> {
    let place = options.iter().position(|option| option == "--").unwrap_or(options.len());
    let (of_cargo, of_tests) = options.split_at(place);
    let skip = ["--", "--skip", OF_IMAGE].map(str::to_owned);
    [of_cargo, &skip, of_tests.get(1..).unwrap_or_default()].concat()
}

/// The tests of the modules that depend on the CRD, as filters; without the modules within them that do not.
fn modules_by_crd() -> Result<Vec<String>> {
    let path = root().join(MODULES_BY_CRD);
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {MODULES_BY_CRD}"))?;
    let dependent = text.lines().filter_map(|line| line.strip_suffix(": crd")).map(|module| format!("{module}::"));
    let others = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
    let left_out = others.filter(|(module, why)| module.contains("::") && *why != "crd");
    let skips = left_out.flat_map(|(module, _)| ["--skip".to_owned(), format!("{module}::")]);
    Ok(dependent.chain(skips).collect())
}

fn run_tests(options: &[String], environment: Option<(&str, &str)>) -> Result<()> {
    let packages: Vec<&str> = packages(options);
    if !packages.is_empty() && packages.iter().all(|package| PURE.contains(package)) {
        let mut tests = cargo(&["test"]);
        tests.args(options);
        return run(tests);
    }
    let mut arguments = options.to_vec();
    if packages.is_empty() {
        arguments.insert(0, "--workspace".to_owned());
    }
    let with_images = environment != Some(WITHOUT_GATEWAYS);
    let with_gateways = with_images && may_run(options, GATEWAYS);
    let goal = Goal {
        title: "Setting up the tests",
        bins: &[],
        tests: Some(&arguments),
        clock: true,
        previous: may_run(options, E2E),
        images: with_images && (may_run(options, IMAGE) || with_gateways),
        page: may_run(options, PAGE),
        comparisons: false,
        tools: &tools(options, with_gateways),
        seconds: 900,
    };
    let built = build::all(&goal)?;
    let mut tests = cargo(&["test"]);
    tests.args(&arguments);
    built.set_environment(&mut tests);
    tests.envs(environment);
    run(tests)
}

/// What tests that run with these options of cargo run against.
fn tools(options: &[String], with_gateways: bool) -> Vec<Tool> {
    // Its tests start no server.
    if packages(options) == [PAGE.0] {
        return OF_PAGE.to_vec();
    }
    let with_page = may_run(options, PAGE);
    let is_needed =
        |tool: &Tool| (with_gateways || !OF_GATEWAYS.contains(tool)) && (with_page || !OF_PAGE.contains(tool));
    Tool::ALL.into_iter().filter(is_needed).collect()
}

/// Whether these options of cargo may run tests of this crate and target: not if they name others. What some tests alone need takes
/// minutes to build.
fn may_run(options: &[String], (package, target): (&str, &str)) -> bool {
    let (packages, targets) = (packages(options), values(options, "--test", None));
    (packages.is_empty() || packages.contains(&package)) && (targets.is_empty() || targets.contains(&target))
}

/// The packages that options of cargo name: `-p X`, `-pX`, `--package X` or `--package=X`, before a `--`.
fn packages(options: &[String]) -> Vec<&str> {
    values(options, "--package", Some("-p"))
}

/// The values of an option of cargo, before a `--`, in each form that cargo takes.
fn values<'a>(options: &'a [String], long: &str, short: Option<&str>) -> Vec<&'a str> {
    let mut values = Vec::new();
    let mut options = options.iter().map(String::as_str).take_while(|option| *option != "--");
    while let Some(option) = options.next() {
        if option == long || Some(option) == short {
            values.extend(options.next());
        } else if let Some(value) = option.strip_prefix(long) {
            values.extend(value.strip_prefix('='));
        } else {
            values.extend(short.and_then(|short| option.strip_prefix(short)));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::{IMAGE, measures, modules_by_crd, packages, without_images};

    #[test]
    fn a_run_without_images_skips_their_tests_whatever_else_it_selects() {
        let without =
            |options: &[&str]| without_images(&options.iter().map(|&option| option.into()).collect::<Vec<_>>());
        assert_eq!(without(&["--locked"]), ["--locked", "--", "--skip", "in_an_empty_root::"]);
        assert_eq!(without(&["x", "--", "--exact"]), ["x", "--", "--skip", "in_an_empty_root::", "--exact"]);
    }

    #[test]
    fn packages_are_read_in_every_form_that_cargo_takes_and_not_behind_two_dashes() {
        let options = ["--locked", "-p", "a", "-pb", "--package", "c", "--package=d", "name", "--", "-p", "e"];
        assert_eq!(packages(&options.map(str::to_owned)), ["a", "b", "c", "d"]);
        assert!(packages(&["--locked".to_owned()]).is_empty());
    }

    #[test]
    fn what_the_filter_is_compared_with_is_built_only_for_the_benchmark_that_measures_it() {
        let measures =
            |options: &[&str]| measures(&options.iter().map(|&option| option.into()).collect::<Vec<_>>(), "filter");
        assert!(measures(&[]) && measures(&["--full", "--out", "docs/benchmarks"]) && measures(&["latency", "filter"]));
        assert!(!measures(&["latency", "--out", "filter"]) && !measures(&["filter", "--redraw"]));
    }

    #[test]
    fn the_modules_that_depend_on_the_crd_are_filters_of_tests() {
        let filters = modules_by_crd().unwrap();
        assert!(filters.contains(&"index::".to_owned()) && !filters.contains(&"tls::".to_owned()), "{filters:?}");
        assert!(filters.ends_with(&["--skip".to_owned(), "side_by_side::orders::".to_owned()]), "{filters:?}");
    }

    #[test]
    fn what_some_tests_need_is_built_unless_only_others_are_named() {
        let may_run =
            |options: &[&str]| super::may_run(&options.iter().map(|&option| option.into()).collect::<Vec<_>>(), IMAGE);
        assert!(may_run(&[]) && may_run(&["--locked"]) && may_run(&["--test", "image"]));
        assert!(may_run(&["--test=e2e", "--test=image"]) && may_run(&["--", "--test", "e2e"]));
        assert!(!may_run(&["--test", "e2e", "races::"]) && !may_run(&["--test=e2e"]));
        assert!(may_run(&["-p", "onceway-e2e"]) && !may_run(&["-p", "onceway-kit"]));
    }
}
