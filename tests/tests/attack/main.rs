//! Bad input and attack over the wire: bounded time and memory, the right 4xx, and nothing changed.

mod bodies;
mod compressed;
mod framing;
mod siege;
mod sizes;
mod slow;
