//! A proxy-wasm filter that does nothing: what a filter costs by being one, with the SDK that the filter is built on (ADR 0007).
//! `cargo xtask bench filter` runs it beside the filter. It never ships.

#[cfg(target_arch = "wasm32")]
mod shell {
    use proxy_wasm::traits::{Context, HttpContext, RootContext};
    use proxy_wasm::types::ContextType;

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(Idle));
    }}

    struct Idle;

    impl Context for Idle {}

    impl HttpContext for Idle {}

    impl RootContext for Idle {
        fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
            Some(Box::new(Self))
        }

        fn get_type(&self) -> Option<ContextType> {
            Some(ContextType::HttpContext)
        }
    }
}
