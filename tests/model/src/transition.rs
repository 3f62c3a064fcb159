//! The model as stateright explores it: initial state, actions, next states, properties.

use stateright::{Model, Property};

use crate::action::Action;
use crate::bounds::Bounds;
use crate::property::properties;
use crate::world::World;

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.choices(actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.apply(action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties(self)
    }
}
