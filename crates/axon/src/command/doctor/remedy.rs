//! What helps against what a pool, or the way to it, says.

use axon_mapping::{Auth, TargetSpec};
use axon_reconcile::{RefusalKind, TargetError};

/// Against what cannot be made of the map's words.
pub const WIRING: &str =
    "mend `auth` and `tls` of the target in the role map, or the file or variable that they refer to";
/// Against what Azure refuses.
pub const AZURE: &str = "docs/AZURE.md says what the identity needs and what each refusal means";
/// Against what was not seen where roles are assigned.
pub const UNSEEN_THERE: &str = "give Axon's identity the right to read there (docs/AZURE.md)";
/// Against what was not seen in a catalog.
pub const UNSEEN: &str =
    "what it names must be changed in the pool; until then Axon takes nothing away that it may concern";

/// What helps against this error.
pub fn against(error: &TargetError, spec: &TargetSpec) -> String {
    match error {
        TargetError::NoToken { .. } => match &spec.auth {
            Some(Auth::TokenFile(file)) => format!(
                "let whatever renews {file} write a token for https://database.windows.net/ into it before the old one ends"
            ),
            _ => format!("mend `auth` of target {}: docs/AZURE.md names what each kind needs", spec.name),
        },
        TargetError::Unreachable { reason, .. } if reason.contains("TLS") => {
            "`host` must be a name that the server's certificate is made for; where its authority is not one of this \
             machine's, name it: tls: { ca: FILE }"
                .into()
        }
        TargetError::Unreachable { .. } => "check `host` and `port` of the target, the name's address, and that the \
             firewall lets 1433 and 11000 to 11999 out"
            .into(),
        TargetError::Unreadable { reason, .. } if reason.contains("this is database") => {
            "write the name of the database into `database` of the target".into()
        }
        TargetError::Unreadable { .. } => "check `kind` of the target; if it is right, report it with this text".into(),
        TargetError::Refused { refusal, .. } => refused(refusal.number, refusal.kind, spec),
    }
}

fn refused(number: i64, kind: RefusalKind, spec: &TargetSpec) -> String {
    let database = spec.sql_server().map_or_else(String::new, |server| format!(" {}", server.database));
    match number {
        40615 | 40914 => "let this machine's address in: a rule in the server's firewall, or its virtual network".into(),
        47073 => "public access is off there: reach it by its private endpoint".into(),
        47072 => "the server refuses this version of TLS: Axon speaks 1.2 and 1.3; look for a proxy between".into(),
        18456 | 18452 if matches!(spec.auth, Some(Auth::Sql { .. })) => {
            "the login or its password is wrong, or the server takes Entra identities only; Axon wants an Entra identity anyway".into()
        }
        18456 | 18452 | 916 => format!(
            "make Axon's identity a user of the database{database} (CREATE USER … FROM EXTERNAL PROVIDER) or, by a group, its Entra \
             administrator; the token must be for https://database.windows.net/; a new user may take some minutes"
        ),
        4060 => format!("there is no database{database} for this identity: check `database` of the target"),
        42108 => "resume the pool; until then its work waits, and is done by itself afterwards".into(),
        42109 => "the pool is starting: look again in some minutes".into(),
        _ => match kind {
            RefusalKind::Busy => "it passes by itself; if it does not, look for what keeps the pool busy".into(),
            RefusalKind::Forbidden => "give Axon's principal the permission that is named".into(),
            _ => format!("docs/OPERATIONS.md, \"Faults of a pool\", says what {number} means"),
        },
    }
}
