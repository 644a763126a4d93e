//! The filter parser beside an independent one: what we print means to it what the text meant, and
//! both refuse the same texts.

use axon_scim::{Filter, Profile, Registry, ResourceKind};

/// Texts in schema spelling and in the letter of the RFC, so that only the structure can differ.
const ACCEPTED: &[&str] = &[
    r#"userName eq "bjensen""#,
    r#"name.familyName co "O'Malley""#,
    r#"userName sw "J""#,
    "title pr",
    r#"meta.lastModified gt "2011-05-13T04:42:34Z""#,
    r#"meta.lastModified le "2011-05-13T04:42:34Z""#,
    r#"title pr and userType eq "Employee""#,
    r#"title pr or userType eq "Intern""#,
    r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#,
    r#"userType eq "Employee" and (emails.value co "example.com" or emails.value co "example.org")"#,
    r#"userType ne "Employee" and not (emails.value co "example.com" or emails.value co "example.org")"#,
    r#"userType eq "Employee" and (emails.type eq "work")"#,
    r#"userType eq "Employee" and emails[type eq "work" and value co "@example.com"]"#,
    r#"emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]"#,
    r#"emails[not (type eq "work") or (value sw "a" and primary eq true)]"#,
    "title pr or nickName pr and active eq true",
    "(title pr or nickName pr) and active eq false",
    "((title pr))",
    "not (not (title pr))",
    "title pr and (nickName pr and locale pr) and timezone pr",
    r#"displayName eq "a \"b\" \\ c é (and) [or]""#,
    "title eq null",
    r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "R&D""#,
    r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "26118915""#,
    r#"title ge "a" and title lt "z" and title ew "x""#,
];

const REFUSED: &[&str] = &[
    "",
    "title",
    "title pr and",
    "and title pr",
    "title pr title pr",
    "title xx \"a\"",
    "title eq",
    "title eq \"a",
    "(title pr",
    "title pr)",
    "not title pr",
    "emails[type eq \"work\"",
    "emails[]",
    "emails[emails[type pr]]",
    "title eq \"a\" or or title pr",
    "title.a.b pr",
    "1title pr",
    "\"title\" pr",
];

fn ours(text: &str) -> Result<Filter, String> {
    Filter::parse(text, &Registry::standard(), ResourceKind::User, &Profile::strict())
        .map_err(|e| e.to_string())
}

fn theirs(text: &str) -> Result<scim_v2::filter::Filter, String> {
    text.parse::<scim_v2::filter::Filter>().map_err(|e| e.to_string())
}

#[test]
fn what_we_print_means_the_same_to_another_parser() {
    for text in ACCEPTED {
        let printed = ours(text).unwrap_or_else(|e| panic!("{text}: {e}")).to_string();
        let original = theirs(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let again = theirs(&printed).unwrap_or_else(|e| panic!("{printed}: {e}"));
        assert_eq!(again, original, "{text} was printed as {printed}");
    }
}

#[test]
fn both_refuse_what_is_no_filter() {
    for text in REFUSED {
        assert!(ours(text).is_err(), "we take {text}");
        assert!(theirs(text).is_err(), "the other takes {text}");
    }
}
