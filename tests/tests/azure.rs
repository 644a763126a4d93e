//! From a push to role assignments, and back to who pushed: a workspace, a factory and a tenant, over HTTP, with every trouble.

#[path = "azure/answers.rs"]
mod answers;
#[path = "azure/faults.rs"]
mod faults;
#[path = "azure/parity.rs"]
mod parity;
#[path = "azure/quiet.rs"]
mod quiet;
#[path = "azure/roles.rs"]
mod roles;
#[path = "azure/stage.rs"]
mod stage;
#[path = "azure/tokens.rs"]
mod tokens;
