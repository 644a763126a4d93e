//! What integrations do in pools: the API's port, filled by `axon_synapse::bootstrap` and a folder of secrets.

mod bench;
mod of_map;
mod secrets;
mod setup;

pub use bench::Bench;
pub use of_map::OfMaps;
pub use secrets::Secrets;
pub use setup::target_entry;
