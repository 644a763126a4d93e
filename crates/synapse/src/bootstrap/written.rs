//! Batches as a script that people read and run.

use std::fmt::Write as _;

use super::parts::{Part, Thing, Where};
use super::setup::Setup;

/// The widest line of a comment.
const WIDE: usize = 110;

/// What is said of a batch that takes an account away.
const ACCOUNT: &str = "A script cannot see who made the account, and others may use it. Run the next lines by hand, without the marks \
    in front of them, only if Axon's scripts made it: their first run did not answer 15025 (login) or 15023 (user). Else take from the \
    user what the create script granted.";
/// The same of an owner or a schema.
const OWNED: &str = "A script cannot see who made it. Run the next lines by hand, without the marks in front of them, only if it was not \
    there before the first run of the create script.";

/// The batches of one database as a script, parted by GO.
pub fn written(title: &str, setup: &Setup, parts: &[Part], at: Where) -> String {
    let database = match at {
        Where::Master => "master",
        Where::Database => setup.database.as_str(),
    };
    let mut text = String::new();
    comment(
        &mut text,
        &format!("{title}. Run it in the database {database}, as somebody who administers it."),
    );
    comment(&mut text, "Every batch can be run again. It holds no password.");
    let mut any = false;
    for part in parts.iter().filter(|part| part.at == at) {
        text.push('\n');
        comment(&mut text, &part.why);
        let batch = format!("{};\nGO", part.text().trim_end_matches(';'));
        match part.takes {
            Some(Thing::Login | Thing::User) => by_hand(&mut text, ACCOUNT, &batch),
            Some(Thing::Owner | Thing::Schema(_)) => by_hand(&mut text, OWNED, &batch),
            None | Some(Thing::OfMap(_)) => {
                text.push_str(&batch);
                text.push('\n');
            }
        }
        any = true;
    }
    if !any {
        text.push('\n');
        comment(
            &mut text,
            "There is nothing to do here: Axon enters with an identity of Entra, which has no login.",
        );
    }
    text
}

/// A batch that a script cannot judge: whoever runs it takes the marks of the comment off, or lets it be.
fn by_hand(text: &mut String, why: &str, batch: &str) {
    comment(text, why);
    for line in batch.lines() {
        text.push_str("--| ");
        text.push_str(line);
        text.push('\n');
    }
}

fn comment(text: &mut String, words: &str) {
    let mut line = String::new();
    for word in words.split_whitespace() {
        if !line.is_empty() && line.len() + word.len() >= WIDE {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "-- {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(text, "-- {line}");
}

#[cfg(test)]
mod tests {
    use axon_model::SqlName;
    use axon_reconcile::{Metadata, Step};

    use super::super::{Account, OfMap, create, delete, edit};
    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn setup() -> Setup {
        Setup {
            database: name("dw"),
            views: name("secure"),
            metadata: Metadata::new(name("axon"), name("axon_owner")),
            impersonation: Some(name("AXON_IMPERSONATION")),
            account: Account { name: name("axon_system"), is_entra: false },
        }
    }

    #[test]
    fn scripts_for_people() {
        let setup = setup();
        let made = create(&setup);
        let gone = delete(&setup, &OfMap::default());
        insta::assert_snapshot!("initial-create", written("First", &setup, &made, Where::Master));
        insta::assert_snapshot!("create", written("Second", &setup, &made, Where::Database));
        insta::assert_snapshot!("delete", written("Delete", &setup, &gone, Where::Database));
        insta::assert_snapshot!("post-cleanup", written("Last", &setup, &gone, Where::Master));
        let new = Setup { impersonation: None, views: name("other"), ..setup.clone() };
        insta::assert_snapshot!("edit", written("Edit", &setup, &edit(&setup, &new), Where::Database));
    }

    #[test]
    fn names_with_quotes_and_brackets_stay_names() {
        let hostile = name("x]'; DROP USER [dbo]--");
        let setup = Setup {
            database: hostile,
            views: hostile,
            metadata: Metadata::new(hostile, hostile),
            impersonation: Some(hostile),
            account: Account { name: hostile, is_entra: false },
        };
        let steps = vec![
            Step::DropMember { role: hostile, member: hostile },
            Step::DropRole { name: hostile },
            Step::DropPrincipal { name: hostile, sid: None },
        ];
        let left = OfMap { steps, roles: [hostile].into() };
        for part in create(&setup).iter().chain(&delete(&setup, &left)) {
            let text = part.text().to_owned();
            // Out of literals and brackets nothing of the name is left.
            assert!(!bare(&text).contains("dbo--"), "{text}");
            assert!(!bare(&text).contains("DROP USER ["), "{text}");
        }
    }

    /// What stands outside of literals and bracketed names.
    fn bare(sql: &str) -> String {
        let (mut out, mut end) = (String::new(), None);
        let mut chars = sql.chars().peekable();
        while let Some(c) = chars.next() {
            match end {
                Some(mark) if c == mark && chars.peek() == Some(&mark) => drop(chars.next()),
                Some(mark) if c == mark => end = None,
                Some(_) => {}
                None if c == '\'' => end = Some('\''),
                None if c == '[' => end = Some(']'),
                None => out.push(c),
            }
        }
        out
    }

    #[test]
    fn an_identity_of_the_directory_has_no_login() {
        let setup = Setup { account: Account { name: name("axon-mi"), is_entra: true }, ..setup() };
        let text = written("First", &setup, &create(&setup), Where::Master);
        assert!(text.contains("nothing to do") && !text.contains("LOGIN"), "{text}");
        assert!(written("", &setup, &create(&setup), Where::Database).contains("FROM EXTERNAL PROVIDER"));
    }
}
