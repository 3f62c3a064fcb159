//! The module, compiled and linked to the host functions once per process.

use std::sync::OnceLock;

use onceway_kit::built;
use wasmtime::{Config, Engine, ExternType, InstancePre, Linker, Module, Val};

use super::abi;
use super::proxy::Proxy;

/// The module, ready to instantiate.
pub(super) struct Compiled {
    pub(super) engine: Engine,
    pub(super) instance: InstancePre<Proxy>,
}

/// The module; the first call builds and compiles it.
pub(super) fn compiled() -> Result<&'static Compiled, &'static str> {
    static COMPILED: OnceLock<Result<Compiled, String>> = OnceLock::new();
    COMPILED.get_or_init(compile).as_ref().map_err(String::as_str)
}

fn compile() -> Result<Compiled, String> {
    let path = built::filter::path().map_err(|error| format!("{error:#}"))?;
    let engine = Engine::new(Config::new().consume_fuel(true)).map_err(|error| format!("{error:#}"))?;
    let module = Module::from_file(&engine, &path).map_err(|error| format!("{}: {error:#}", path.display()))?;
    let instance = link(&engine, &module).map_err(|error| format!("{}: {error:#}", path.display()))?;
    Ok(Compiled { engine, instance })
}

/// Serves every import of the module by name.
fn link(engine: &Engine, module: &Module) -> wasmtime::Result<InstancePre<Proxy>> {
    let mut linker = Linker::new(engine);
    for import in module.imports() {
        let ExternType::Func(signature) = import.ty() else { continue };
        let name = import.name().to_owned();
        linker.func_new(import.module(), import.name(), signature, move |caller, arguments, results| {
            let status = abi::serve(caller, &name, &arguments.iter().map(number).collect::<Vec<_>>())?;
            if let Some(result) = results.first_mut() {
                *result = Val::I32(status.cast_signed());
            }
            Ok(())
        })?;
    }
    linker.instantiate_pre(module)
}

/// The ABI has only integers.
fn number(value: &Val) -> u64 {
    match *value {
        Val::I32(value) => u64::from(value.cast_unsigned()),
        Val::I64(value) => value.cast_unsigned(),
        _ => 0,
    }
}
