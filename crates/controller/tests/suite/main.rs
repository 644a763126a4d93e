//! The controller from outside: ticks on a real store and on a target that can misbehave.

mod dangers;
mod stage;
mod stories;
