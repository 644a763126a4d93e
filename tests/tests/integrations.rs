//! The integrations API: each request and answer of the API that it follows, over HTTP, with a pool behind it that is looked at.

#[path = "integrations/automatic.rs"]
mod automatic;
#[path = "integrations/callers.rs"]
mod callers;
#[path = "integrations/command_line.rs"]
mod command_line;
#[path = "integrations/entra.rs"]
mod entra;
#[path = "integrations/kept.rs"]
mod kept;
#[path = "integrations/kit.rs"]
mod kit;
#[path = "integrations/left.rs"]
mod left;
#[path = "integrations/lines.rs"]
mod lines;
#[path = "integrations/manual.rs"]
mod manual;
#[path = "integrations/migrating.rs"]
mod migrating;
#[path = "integrations/native.rs"]
mod native;
#[path = "integrations/of_map.rs"]
mod of_map;
#[path = "integrations/others.rs"]
mod others;
#[path = "integrations/page.rs"]
mod page;
#[path = "integrations/refusals.rs"]
mod refusals;
#[path = "integrations/seed.rs"]
mod seed;
#[path = "integrations/statuses.rs"]
mod statuses;
#[path = "integrations/stopped.rs"]
mod stopped;
#[path = "integrations/target.rs"]
mod target;
#[path = "integrations/target_by_password.rs"]
mod target_by_password;
