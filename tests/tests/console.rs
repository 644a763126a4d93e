//! The console: people sign in with an operator's token, and do over pages what the operators' API does, under the same rules.

#[path = "console/acting.rs"]
mod acting;
#[path = "console/forged.rs"]
mod forged;
#[path = "console/hostile.rs"]
mod hostile;
#[path = "console/kit.rs"]
mod kit;
#[path = "console/session.rs"]
mod session;
#[path = "console/waiting.rs"]
mod waiting;
