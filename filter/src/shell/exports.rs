//! What the proxy calls: the functions of proxy-wasm's ABI 0.2.1 that a filter of requests has. Those that are left out
//! (responses, TCP, gRPC, timers, queues) the proxy takes for "go on".

use std::cell::RefCell;
use std::panic::set_hook;

use super::{Vm, abi};
use crate::{Action, Level, Reply};

thread_local! {
    /// A module has one thread.
    static VM: RefCell<Vm> = RefCell::default();
}

/// Gives the VM's state to `event`. The proxy does not call us while we call it; if it did, the event would have no effect,
/// which `otherwise` stands for.
fn with<T>(otherwise: T, event: impl FnOnce(&mut Vm) -> T) -> T {
    VM.with(|vm| match vm.try_borrow_mut() {
        Ok(mut vm) => event(&mut vm),
        Err(_) => otherwise,
    })
}

/// The ABI's words for what to do next.
const fn number(action: Action) -> u32 {
    match action {
        Action::Continue => 0,
        Action::Pause => 1,
    }
}

unsafe extern "C" {
    /// The linker's: runs what a program runs before its `main`.
    fn __wasm_call_ctors();
}

/// Tells the proxy which version of the ABI this is.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Called once, before all else.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: called once, and before all else.
    unsafe { __wasm_call_ctors() };
    // There is nothing in here that panics. If that is wrong, one line of the log says so before the VM dies.
    set_hook(Box::new(|panic| abi::log(Level::Critical, &panic.to_string())));
}

/// Memory for what the proxy hands over; [`abi`] takes it over from there.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    abi::allocate(size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    with((), |vm| vm.create(context, parent));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_context: u32, _size: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context: u32, size: usize) -> u32 {
    u32::from(with(false, |vm| vm.configure(context, size)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _count: usize, end_of_stream: u32) -> u32 {
    let event = |vm: &mut Vm| vm.decide(context, |request, proxy| request.on_headers(proxy, end_of_stream != 0));
    number(with(Action::Continue, event))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, buffered: usize, end_of_stream: u32) -> u32 {
    let event = |vm: &mut Vm| vm.decide(context, |request, proxy| request.on_body(proxy, buffered, end_of_stream != 0));
    number(with(Action::Continue, event))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, _count: usize) -> u32 {
    number(with(Action::Continue, |vm| vm.decide(context, |request, proxy| request.on_trailers(proxy))))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    _plugin: u32,
    token: u32,
    headers: usize,
    body_bytes: usize,
    _trailers: usize,
) {
    with((), |vm| vm.reply(Reply { token, headers, body_bytes }));
}

/// The stream is at its end, and there is nothing that it would have to wait for.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(_context: u32) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with((), |vm| vm.delete(context));
}
