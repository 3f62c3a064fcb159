//! The gateway that the checks of a column share: started by its first check, ended when another column begins. Gateways listen
//! at fixed ports, so one runs at a time.

use anyhow::{Context, Result, bail};
use tokio::sync::{Mutex, MutexGuard};

use crate::checks::Check;
use crate::kind::Kind;
use crate::running::Running;

/// The gateway that runs, if one does.
pub(crate) struct Stage(Mutex<State>);

enum State {
    Empty,
    // Boxed: far larger than the others.
    Running(Box<Running>),
    /// It did not start; its other checks fail at once.
    Failed(Kind),
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State::Empty))
    }

    /// Runs a check through a gateway of this kind.
    pub(crate) async fn run(&self, kind: Kind, check: &'static Check) -> Result<String> {
        let mut state = self.0.lock().await;
        if state.kind() != Some(kind) {
            start(&mut state, kind).await?;
        }
        let State::Running(running) = &mut *state else { bail!("the gateway did not start") };
        if !check.without_module {
            running.serve_module().await?;
        }
        (check.run)(running).await
    }

    /// Ends the gateway that runs.
    pub(crate) async fn clear(&self) {
        *self.0.lock().await = State::Empty;
    }
}

impl State {
    fn kind(&self) -> Option<Kind> {
        match self {
            Self::Empty => None,
            Self::Running(running) => Some(running.kind),
            Self::Failed(kind) => Some(*kind),
        }
    }
}

async fn start(state: &mut MutexGuard<'_, State>, kind: Kind) -> Result<()> {
    // The one before ends first.
    **state = State::Failed(kind);
    let running = Running::start(kind).await.context("the gateway did not start")?;
    **state = State::Running(Box::new(running));
    Ok(())
}
