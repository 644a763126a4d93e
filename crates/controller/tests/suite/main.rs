//! The controller from outside: ticks on a real store and on a target that can misbehave.

#[cfg(test)]
mod breaker;
mod dangers;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod spool;
mod stage;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod waiting;
