//! Workload classifiers of a role: made, made anew, explained and taken back; those of others are let be.

use anyhow::ensure;
use axon_tests::{MAP, SOON, Stage, until};

const KIM: &str = "kim@acme.example";
const LINE: &str = "select on sales.orders, classifier in largerc importance high label nightly";

fn map(lines: &str) -> String {
    MAP.replacen("[select on sales.orders]", &format!("[{lines}]"), 1)
}

/// Name, member, group, importance, label and hours of every classifier of the role `reader`.
async fn classifiers(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let mut admin = stage.pool.admin().await?;
    admin
        .column(
            "SELECT c.name + '|' + m.classifier_value + '|' + c.group_name + '|' + c.importance + '|' \
             + COALESCE(l.classifier_value, '-') + COALESCE('|' + f.classifier_value + '-' + u.classifier_value, '') \
             FROM sys.workload_management_workload_classifiers c \
             JOIN sys.workload_management_workload_classifier_details m \
               ON m.classifier_id = c.classifier_id AND m.classifier_type = 'membername' \
             LEFT JOIN sys.workload_management_workload_classifier_details l \
               ON l.classifier_id = c.classifier_id AND l.classifier_type = 'wlm_label' \
             LEFT JOIN sys.workload_management_workload_classifier_details f \
               ON f.classifier_id = c.classifier_id AND f.classifier_type = 'start_time' \
             LEFT JOIN sys.workload_management_workload_classifier_details u \
               ON u.classifier_id = c.classifier_id AND u.classifier_type = 'end_time' \
             WHERE m.classifier_value = 'axon_reader' ORDER BY 1",
        )
        .await
}

async fn become_these(stage: &Stage, wanted: &[&str]) -> anyhow::Result<()> {
    until(&format!("the classifiers are {wanted:?}"), SOON, async || {
        Ok((classifiers(stage).await? == wanted).then_some(()))
    })
    .await
}

#[tokio::test]
async fn requests_of_a_role_run_where_the_map_says() -> anyhow::Result<()> {
    let stage = Stage::set_with(&[KIM], &map(LINE)).await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    become_these(&stage, &["axon_reader:largerc|axon_reader|largerc|high|nightly"]).await?;
    stage.catalog_when("kim reads", |catalog| catalog.roles_of(KIM) == ["axon_reader"]).await?;
    let place = &stage.place;
    place.axon(&["plan", "--check"]).await?.exits(0)?;
    let why = place.axon(&["explain", KIM]).await?.exits(0)?.out;
    ensure!(why.contains("holds: classifier in largerc importance high label nightly"), "{why}");
    let who =
        place.axon(&["explain", "--grant", "classifier in largerc importance high label nightly"]).await?;
    ensure!(who.out.contains(KIM), "{}", who.out);

    // Somebody else's, also of Axon's role, is let be; Axon's own that was changed by hand is made anew.
    let mut admin = stage.pool.admin().await?;
    admin
        .run("CREATE WORKLOAD CLASSIFIER by_hand WITH (WORKLOAD_GROUP = 'smallrc', MEMBERNAME = 'axon_reader')")
        .await?;
    admin.run("DROP WORKLOAD CLASSIFIER [axon_reader:largerc]").await?;
    place.axon(&["apply"]).await?.exits(0)?;
    let by_hand = "by_hand|axon_reader|smallrc|normal|-";
    become_these(&stage, &["axon_reader:largerc|axon_reader|largerc|high|nightly", by_hand]).await?;

    // Another importance: there is no statement that changes one.
    let port = stage.pool.port()?;
    place.furnish(
        &map("select on sales.orders, classifier in largerc importance low from 22:00 until 06:00"),
        port,
    )?;
    become_these(&stage, &["axon_reader:largerc|axon_reader|largerc|low|-|22:00-06:00", by_hand]).await?;
    place.axon(&["plan", "--check"]).await?.exits(0)?;
    place.furnish(MAP, port)?;
    become_these(&stage, &[by_hand]).await?;
    place.axon(&["plan", "--check"]).await?.exits(0)?;

    let sent = place.statements().await?;
    let about = sent.iter().filter(|sql| sql.contains("WORKLOAD CLASSIFIER")).collect::<Vec<_>>();
    // The role `writer` takes the line in: two made, one made again, two changed by two statements each, two dropped.
    ensure!(about.len() == 9, "{about:#?}");
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}
