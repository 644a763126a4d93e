//! How things look on more than one page: requests, instants, lengths of time, fields of forms.

use axon_model::{AccessRequest, AccessState, Asked, Said};
use axon_store::stored::shown_instant;
use time::OffsetDateTime;

use crate::html::{El, el};

/// An instant for people, to the second.
pub fn instant(at: OffsetDateTime) -> El {
    let exact = shown_instant(at);
    let readable = format!("{} UTC", exact.get(..19).unwrap_or(&exact).replace('T', " "));
    el("time").set("datetime", &exact).text(&readable)
}

/// A length of time for people.
pub fn length(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds % 3_600 / 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "min"), (rest, "s")];
    let said: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if said.is_empty() { "0 s".to_owned() } else { said.join(" ") }
}

/// A row of a list of terms.
pub fn row(term: &str, told: El) -> [El; 2] {
    [el("dt").text(term), el("dd").with(told)]
}

/// The same with text.
pub fn line(term: &str, told: &str) -> [El; 2] {
    [el("dt").text(term), el("dd").text(told)]
}

/// A word that says how something stands.
pub fn badge(class: &str, word: &str) -> El {
    el("span").set("class", &format!("badge {class}")).text(word)
}

/// A field of a form with its label, and a hint where there is one.
pub fn field(id: &str, label: &str, hint: &str, control: El) -> El {
    let field = el("div").set("class", "field").with(el("label").set("for", id).text(label));
    if hint.is_empty() {
        return field.with(control.set("id", id));
    }
    let hint_id = format!("{id}-hint");
    let told = el("p").set("id", &hint_id).set("class", "hint").text(hint);
    field.with(control.set("id", id).set("aria-describedby", &hint_id)).with(told)
}

/// The field in which people say why.
pub fn reason(id: &str, typed: &str) -> El {
    let control = el("input")
        .set("type", "text")
        .set("name", "reason")
        .set("value", typed)
        .set("maxlength", "1000")
        .set("autocomplete", "off")
        .flag("required", true);
    field(id, "Reason", "", control)
}

/// Something that was asked for.
pub fn request(request: &AccessRequest, now: OffsetDateTime) -> El {
    let whom = &request.whom.user_name;
    let (mut rows, title) = match &request.asked {
        Asked::Offboard => (Vec::new(), format!("{whom} is shut out")),
        Asked::Grant { role, target, seconds } => {
            let place = target.as_deref().unwrap_or("all that the role has lines for");
            let rows = [line("Target", place), line("For", &length(*seconds))];
            (rows.into_iter().flatten().collect(), format!("role {role} for {whom}"))
        }
        Asked::Impersonate { person, target, seconds, session } => {
            let mut rows: Vec<El> =
                [line("Target", target), line("For", &length(*seconds))].into_iter().flatten().collect();
            rows.extend(session.iter().flat_map(|session| line("Session", session)));
            (rows, format!("{whom} as {}", person.user_name))
        }
    };
    let told = |term: &str, said: &Said| {
        let why = el("q").text(&said.reason);
        row(term, el("span").text(&format!("by {}, ", said.by)).with(instant(said.at)).text(": ").with(why))
    };
    rows.extend(request.until.iter().flat_map(|until| row("Until", instant(*until))));
    rows.extend(told("Asked for", &request.asking));
    rows.extend(request.released.iter().flat_map(|said| told("Released", said)));
    rows.extend(request.ended.iter().flat_map(|said| told("Ended", said)));
    rows.extend(row("Request", el("code").text(&request.id.to_string())));
    el("article")
        .set("class", "card")
        .with(el("h3").text(&title).text(" ").with(standing(request, now)))
        .with(el("dl").all(rows))
}

fn standing(request: &AccessRequest, now: OffsetDateTime) -> El {
    match request.state {
        AccessState::Proposed => badge("waits", "waits for a second person"),
        AccessState::InForce if request.in_force_at(now) => badge("good", "in force"),
        AccessState::InForce | AccessState::Over => badge("over", "over"),
        AccessState::Lifted => badge("over", "ended"),
        AccessState::Rejected => badge("bad", "refused"),
        AccessState::Expired => badge("over", "nobody answered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_words() {
        for (seconds, said) in
            [(0, "0 s"), (59, "59 s"), (1_800, "30 min"), (5_400, "1 h 30 min"), (7_200, "2 h")]
        {
            assert_eq!(length(seconds), said);
        }
        let at = time::macros::datetime!(2026-11-23 07:05:09.25 +2);
        let shown = instant(at).document();
        assert!(shown.contains("datetime=\"2026-11-23T05:05:09.250Z\""), "{shown}");
        assert!(shown.contains(">2026-11-23 05:05:09 UTC<"), "{shown}");
    }
}
