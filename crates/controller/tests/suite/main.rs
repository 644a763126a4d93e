//! The controller from outside: ticks on a real store and on a target that can misbehave.

#[cfg(test)]
mod acting;
#[cfg(test)]
mod breaker;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod dangers;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod former;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod given;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod leavers;
#[cfg(test)]
mod lingering;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod near;
#[cfg(test)]
mod noisy;
#[cfg(test)]
mod partial_sight;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod scripted_tombstones;
#[cfg(test)]
mod spool;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod tombstones;
#[cfg(test)]
mod unseen;
#[cfg(test)]
mod unseen_view;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod was_back;
