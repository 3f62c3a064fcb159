//! A column of the table: its checks run one after another, in a network of their own, and share the gateway that they start.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use onceway_gateways::isolation::Network;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::checks::Check;
use crate::install;
use crate::kind::Kind;
use crate::matrix::Outcome;
use crate::running::Running;

/// A column.
pub(crate) struct Column {
    pub(crate) kind: Kind,
    state: Mutex<State>,
}

// In the order in which they are dropped.
struct State {
    gateway: Shared,
    /// What the checks run in, from the first one on.
    place: Option<Place>,
}

/// A network, and threads in it.
struct Place {
    network: Network,
    runtime: Runtime,
}

/// The gateway that the checks share.
enum Shared {
    None,
    // Boxed: far larger than the others.
    Running(Box<Running>),
    /// It did not start; all checks fail at once.
    Failed,
}

/// What fills a cell.
#[derive(Clone, Copy)]
pub(crate) enum Cell {
    /// The commands of the installation's page, with a gateway of their own.
    Install,
    /// A check, through the gateway that all checks share.
    Check(&'static Check),
}

impl Column {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, state: Mutex::new(State { gateway: Shared::None, place: None }) }
    }

    /// Fills a cell, once no other one of this column is being filled.
    pub(crate) fn run(&self, cell: Cell) -> Outcome {
        // A check that panicked has failed, and says nothing of the others.
        let state = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let result = state.run(self.kind, cell);
        Outcome { result, elapsed: began.elapsed() }
    }
}

impl State {
    fn run(&mut self, kind: Kind, cell: Cell) -> Result<String> {
        let place = match &mut self.place {
            Some(place) => place,
            none => none.insert(Place::new()?),
        };
        place.network.enter()?;
        place.runtime.block_on(async {
            match cell {
                Cell::Install => install::follow(kind).await,
                Cell::Check(check) => self.gateway.run(kind, check).await,
            }
        })
    }
}

impl Place {
    fn new() -> Result<Self> {
        let network = Network::new()?;
        // The runtime's threads are where the thread is that starts them.
        network.enter()?;
        Ok(Self { network, runtime: Runtime::new()? })
    }
}

impl Shared {
    async fn run(&mut self, kind: Kind, check: &Check) -> Result<String> {
        if matches!(self, Self::None) {
            // Until it runs, and for good if this panics.
            *self = Self::Failed;
            *self = Self::Running(Box::new(Running::start(kind).await.context("the gateway did not start")?));
        }
        let Self::Running(running) = self else { bail!("the gateway did not start") };
        if !check.without_module {
            running.serve_module().await?;
        }
        (check.run)(running).await
    }
}
