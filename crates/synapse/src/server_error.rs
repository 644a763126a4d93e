//! What a server's error numbers mean: one table, from number to kind and to when it may be tried again.
//!
//! Texts differ between builds and languages, numbers do not. A number that is not here is [`RefusalKind::Other`] and is
//! not tried again by itself. Whether a refusal means *converged* ("already there", "does not exist" on a drop) is never
//! believed from the number alone: `apply` asks the catalog.

use std::time::Duration;

use axon_reconcile::{Refusal, RefusalKind, Retry};

/// When a transient trouble may be over.
const SOON: Retry = Retry::After(Duration::from_secs(2));
/// Throttling and resource limits ask for ten seconds at least.
const LATER: Retry = Retry::After(Duration::from_secs(15));
/// A pause or a directory's trouble lasts for a while.
const PAUSED: Retry = Retry::After(Duration::from_mins(1));
/// Somebody else must change something that cannot be seen from here: firewall, group membership, administrator.
const ELSEWHERE: Retry = Retry::After(Duration::from_mins(5));

/// What a refusal with this number means.
pub fn meaning(number: i64) -> (RefusalKind, Retry) {
    use RefusalKind as Kind;
    match number {
        // User, group, role or login of that name.
        15023 | 15025 | 15530 => (Kind::AlreadyThere, Retry::Never),
        // "Cannot find …, because it does not exist or you do not have permission", and how other builds say it.
        15151 | 15410 | 4604 | 4610 => (Kind::Missing, Retry::Never),
        // Permission denied on object, column, database, server; sp_* and KILL; fixed principals; public; dbo or oneself.
        229 | 230 | 262 | 297 | 300 | 371 | 2760 | 6102 | 15081 | 15150 | 15247 | 4624 => {
            (Kind::Forbidden, Retry::Never)
        }
        // Not in the directory; not unique there.
        33130 | 33131 => (Kind::DirectoryUnknown, Retry::Never),
        33134 | 33136 => (Kind::DirectoryUnavailable, PAUSED),
        33159 | 33171 => (Kind::NeedsEntra, Retry::Never),
        // Execution context, owner, members, owned objects, grantor, role owner; a login that gave, is acted as, or is in; the login or SID has another user;
        // grantable without CASCADE; a cycle of roles.
        15136 | 15138 | 15144 | 15173 | 15183 | 15186 | 15284 | 15421 | 15434 | 15063 | 4611 | 15413 => {
            (Kind::Blocked, Retry::Never)
        }
        42108 => (Kind::Paused, PAUSED),
        40501 | 10928 | 10929 | 49918 | 49919 | 49920 => (Kind::Busy, LATER),
        // Warming up, failing over, deadlock, lock time-out, lost between gateway and pool.
        42109 | 4221 | 40143 | 40166 | 40197 | 40540 | 40613 | 1205 | 1222 | 615 | 926 | 10053 | 10054
        | 10060 | 233 | 64 | 20 | 121 | 997 | -2 => (Kind::Busy, SOON),
        // Who we are; no such database for us; no user there; firewall, network, TLS rules.
        18456 | 18452 | 4060 | 916 | 40615 | 40914 | 47072 | 47073 => (Kind::Login, ELSEWHERE),
        // The parsers, unsupported procedures and statements, TYPE and SID options, server-scoped views.
        103_010 | 102 | 156 | 15869..=15874 | 33162 | 33163 | 40529 | 4621 | 4629 => {
            (Kind::Unsupported, Retry::Never)
        }
        _ => (Kind::Other, Retry::Never),
    }
}

/// When a refusal with this number and text may be tried again: a server that is busy may say by itself after how many seconds.
pub fn retry(number: i64, message: &str) -> Retry {
    /// What a server asks for beyond this is not waited for without asking again.
    const LONGEST: Duration = Duration::from_mins(5);
    let (kind, usual) = meaning(number);
    match (kind, usual, asked_for(message)) {
        (RefusalKind::Busy, Retry::After(least), Some(asked)) => {
            Retry::After(asked.clamp(least, LONGEST.max(least)))
        }
        _ => usual,
    }
}

/// The seconds of "retry … after 20 seconds".
fn asked_for(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let (_, behind) = lower.split_once("retry")?;
    let (_, behind) = behind.split_once("after ")?;
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    behind[digits.len()..].trim_start().starts_with("second").then_some(())?;
    digits.parse().ok().map(Duration::from_secs)
}

/// A refusal in the server's words, cut to a length that a record can hold.
pub fn refusal(number: i64, message: &str) -> Refusal {
    const MOST_CHARS: usize = 2000;
    Refusal { kind: meaning(number).0, number, message: message.chars().take(MOST_CHARS).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_number_has_its_kind() {
        let table = [
            (RefusalKind::AlreadyThere, vec![15023]),
            (RefusalKind::Missing, vec![15151, 4604, 4610]),
            (RefusalKind::DirectoryUnknown, vec![33130, 33131]),
            (RefusalKind::DirectoryUnavailable, vec![33134, 33136]),
            (RefusalKind::NeedsEntra, vec![33159]),
            (RefusalKind::Blocked, vec![15136, 15138, 15144, 15183, 15284, 15421, 4611]),
            (RefusalKind::Forbidden, vec![229, 230, 15247, 4624, 15081, 15150]),
            (RefusalKind::Paused, vec![42108]),
            (RefusalKind::Login, vec![18456, 916, 40615]),
            (RefusalKind::Unsupported, vec![103_010, 15871]),
            (RefusalKind::Other, vec![111_212, 50000, 0]),
        ];
        for (kind, numbers) in table {
            for number in numbers {
                assert_eq!(meaning(number).0, kind, "{number}");
            }
        }
    }

    #[test]
    fn what_passes_by_itself_is_tried_again_and_nothing_hot() {
        for number in [42109, 40613, 40501, 10928, 49918, 1205, 33134, 42108, 18456] {
            let Retry::After(wait) = meaning(number).1 else { panic!("{number} must be tried again") };
            assert!(wait >= Duration::from_secs(2), "{number}");
        }
        for number in [40501, 10928, 10929] {
            let Retry::After(wait) = meaning(number).1 else { panic!("{number}") };
            assert!(wait >= Duration::from_secs(10), "{number}");
        }
        for number in [33130, 33159, 103_010, 15138, 15151, 229] {
            assert_eq!(meaning(number).1, Retry::Never, "{number}");
        }
    }

    #[test]
    fn a_throttling_server_s_own_delay_is_kept_within_reason() {
        let after = |number, message| match retry(number, message) {
            Retry::After(wait) => wait.as_secs(),
            other => panic!("{other:?}"),
        };
        let busy =
            "The service is currently busy. Retry the request after 40 seconds. Incident ID: 7. Code: 1";
        assert_eq!(after(40501, busy), 40);
        assert_eq!(after(49918, "Please retry after 20 seconds"), 20);
        assert_eq!(after(40501, "Retry the request after 1 seconds"), 15, "less than is good for it");
        assert_eq!(after(40501, "Retry the request after 99999999 seconds"), 300);
        assert_eq!(after(40501, "Retry the request after 99999999999999999999999 seconds"), 15);
        for message in ["", "retry", "Retry after x seconds", "retry after 30 sheep", "after 30 seconds"] {
            assert_eq!(after(10928, message), 15, "{message}");
        }
        assert_eq!(after(42108, "retry after 1 second"), 60, "a pause is no throttling");
        assert_eq!(retry(229, "retry after 40 seconds"), Retry::Never);
    }

    #[test]
    fn a_message_without_end_is_cut() {
        assert_eq!(refusal(50000, &"é".repeat(1_000_000)).message.chars().count(), 2000);
    }
}
