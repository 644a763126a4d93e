//! A test that plays on the server of the environment: one test a process, which [`crate::whole`] starts.

use std::collections::{BTreeMap, BTreeSet};

use axon_emulator::PoolKind;
use axon_synapse::Dialect;
use serde::{Deserialize, Serialize};

use crate::ability::{Ability, Lacking};
use crate::place::{Place, variable};

/// Where a test finds what was found out about the server.
pub const FOUND: &str = "AXON_LIVE_TDS_FOUND";
/// What a test says before its reasons, alone in a line, when it is left out, and how its process ends then.
pub const LEFT_OUT: &str = "left out: ";
pub const LEFT_OUT_CODE: i32 = 77;

/// What was found out once, before the first test.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Found {
    /// By the ability's name, the server's words.
    lacking: BTreeMap<String, String>,
    /// Names that were there before.
    pub kept: BTreeSet<String>,
}

impl Found {
    pub fn new(lacking: &Lacking, kept: BTreeSet<String>) -> Self {
        let lacking =
            lacking.iter().map(|(ability, words)| (ability.name().to_owned(), words.clone())).collect();
        Self { lacking, kept }
    }

    /// On the emulator: nothing, as nothing is lacking there.
    pub fn load() -> Option<Self> {
        let file = variable(FOUND)?;
        Some(serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
    }
}

/// Whether the server can do this. The emulator can do everything.
pub fn can(ability: Ability) -> bool {
    Found::load().is_none_or(|found| !found.lacking.contains_key(ability.name()))
}

/// What a test needs of a server. On the emulator everything is there; on a named server that lacks something the test ends here,
/// and its process says what for.
pub fn needs(abilities: &[Ability]) {
    let Some(found) = Found::load() else { return };
    let words =
        |ability: &Ability| Some(format!("{}: {}", ability.name(), found.lacking.get(ability.name())?));
    let lacking: Vec<String> = abilities.iter().filter_map(words).collect();
    if !lacking.is_empty() {
        println!("\n{LEFT_OUT}{}", lacking.join("; "));
        std::process::exit(LEFT_OUT_CODE);
    }
}

/// The server, where a test is played on one.
pub fn place() -> Option<(Place, Found)> {
    let found = Found::load()?;
    Some((Place::named().expect("a server is named"), found))
}

/// The kinds of pools that a story is played on: both emulated ones, or the named server's.
pub fn kinds() -> Vec<PoolKind> {
    match place().map(|(place, _)| place.dialect) {
        None => vec![PoolKind::Dedicated, PoolKind::Serverless],
        Some(Dialect::Dedicated) => vec![PoolKind::Dedicated],
        Some(Dialect::Serverless | Dialect::Server) => vec![PoolKind::Serverless],
    }
}
