//! The operations under `/integrations`.

use super::operation::{Family, Op};
use super::schema::{either, flag, list as many, pattern, text, the, word};

fn op(id: &str, summary: &str) -> Op {
    Op::new(Family::Integrations, id, summary)
}

fn of_one(id: &str, summary: &str) -> Op {
    op(id, summary).at("id", "The integration's number", pattern("^[1-9][0-9]{0,17}$", 18))
}

fn script(op: Op) -> Op {
    op.gives_as(
        200,
        "The script, as a text, or as one text of JSON.",
        &["text/plain", "application/json"],
        &text(),
    )
    .fails(&[422])
}

/// GET /integrations
pub fn list() -> Op {
    op("listIntegrations", "All integrations").gives(
        200,
        "All that were not deleted.",
        many(the("Integration")),
    )
}

/// POST /integrations
pub fn create() -> Op {
    op("createIntegration", "Make a database ready for secure views")
        .told(
            "With `autoBootstrap` true Axon makes everything, with credentials that are used once and kept nowhere; with false it \
             looks whether the scripts were run. It looks first, then answers, and goes on after the answer: GET …/status tells how far it is.",
        )
        .takes(&either([the("AutomaticPayload"), the("ManualPayload")]))
        .gives(201, "It has begun.", the("IntegrationWork"))
        .fails(&[409, 422])
}

/// GET /integrations/{id}
pub fn one() -> Op {
    of_one("getIntegration", "One integration").gives(
        200,
        "The integration; who entered is not shown.",
        the("Integration"),
    )
}

/// PUT /integrations/{id}
pub fn update() -> Op {
    of_one("updateIntegration", "Change an integration")
        .told("Host, port, database and account stay. Of a manual one the script of …/scripts/edit is run before.")
        .takes(&either([the("AutomaticPayload"), the("ManualPayload")]))
        .gives(200, "It has begun.", the("IntegrationWork"))
        .fails(&[409, 422])
}

/// DELETE /integrations/{id}
pub fn delete() -> Op {
    of_one("deleteIntegration", "Take an integration away")
        .told("An automatic one with credentials that are used once; a manual one without a payload, after its script was run.")
        .asks("force", "Give it up: nothing is taken away in the database", flag())
        .may_take(&the("Credentials"))
        .gives(200, "It has begun; with `force` it is done.", the("IntegrationWork"))
        .fails(&[409, 422])
}

/// GET /integrations/{id}/status
pub fn status() -> Op {
    of_one("getIntegrationStatus", "How far an integration is").gives(
        200,
        "How far it is; of a deleted one, too.",
        the("IntegrationWork"),
    )
}

/// POST /integrations/{id}/regenerate
pub fn regenerate() -> Op {
    of_one("regenerateIntegration", "Another password for the account that Axon made")
        .takes(&the("Credentials"))
        .gives(200, "It has begun.", the("IntegrationWork"))
        .fails(&[409, 422])
}

/// POST /integrations/{id}/scripts/edit
pub fn edit_script() -> Op {
    let op = of_one("scriptOfEdit", "The script of a change").takes(&the("ManualPayload"));
    script(op).fails(&[409])
}

/// POST /integrations/{id}/scripts/delete
pub fn delete_script() -> Op {
    script(of_one("scriptOfDelete", "The script that takes an integration away"))
}

/// POST /integrations/scripts/initial-create
pub fn initial_create_script() -> Op {
    of_payload("scriptOfInitialCreate", "The first script of a manual set-up, for master")
}

/// POST /integrations/scripts/create
pub fn create_script() -> Op {
    of_payload("scriptOfCreate", "The second script of a manual set-up, for the database")
}

/// POST /integrations/scripts/cleanup
pub fn cleanup_script() -> Op {
    of_payload("scriptOfCleanup", "The script for what never came into use, in the database")
}

/// POST /integrations/scripts/post-cleanup
pub fn post_cleanup_script() -> Op {
    of_payload("scriptOfPostCleanup", "The last script of that, for master")
}

fn of_payload(id: &str, summary: &str) -> Op {
    script(op(id, summary).takes(&the("ManualPayload")))
}

/// The words of a status.
pub(super) fn statuses() -> super::schema::Part {
    word(
        &axon_store::integrations::IntegrationStatus::ALL
            .map(axon_store::integrations::IntegrationStatus::as_str),
    )
}
