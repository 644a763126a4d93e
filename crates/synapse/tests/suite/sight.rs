//! Whose sessions we see in a serverless database: what the server shows counts, since no page says which permission is enough.

use axon_synapse::{Dialect, Sight, SynapseTarget};
use tiberius::AuthMethod;

use crate::scripted::{Scripted, error, numbers};
use crate::stage::{ADMIN, KIM, Stage, run, token};

#[tokio::test]
async fn whoever_holds_it_at_the_server_or_sees_somebody_else_sees() {
    let stage = Stage::serverless().await;
    assert_eq!(stage.target().sight().await.unwrap(), Some(Sight::Sees), "as an administrator");
    let mut admin = stage.raw(AuthMethod::aad_token(ADMIN)).await.unwrap();
    run(&mut admin, "CREATE USER [kim@acme.com] FROM EXTERNAL PROVIDER").await.unwrap();
    let kim = stage.target_as(token(KIM));
    assert_eq!(kim.sight().await.unwrap(), Some(Sight::Blind));
    run(&mut admin, "GRANT VIEW DATABASE STATE TO [kim@acme.com]").await.unwrap();
    assert_eq!(kim.sight().await.unwrap(), Some(Sight::Sees), "the administrator's session is seen");
}

#[tokio::test]
async fn a_permission_that_shows_nobody_else_proves_nothing() {
    for (held, logins, sight) in [
        (numbers(&[Some(0), Some(1)]), numbers(&[Some(1)]), Sight::Unproven),
        (numbers(&[None, None]), numbers(&[Some(1)]), Sight::Unproven),
        (numbers(&[Some(0), Some(1)]), numbers(&[Some(2)]), Sight::Sees),
        (
            error(195, "'HAS_PERMS_BY_NAME' is not a recognized built-in function name."),
            numbers(&[Some(1)]),
            Sight::Unproven,
        ),
        (
            error(195, "'HAS_PERMS_BY_NAME' is not a recognized built-in function name."),
            error(229, "denied"),
            Sight::Unproven,
        ),
        (numbers(&[Some(0), Some(0)]), numbers(&[Some(1)]), Sight::Blind),
    ] {
        let told = format!("{held:?} {logins:?}");
        let pool =
            Scripted::open(
                move |sql, _| {
                    if sql.contains("HAS_PERMS_BY_NAME") { held.clone() } else { logins.clone() }
                },
            )
            .await;
        let target = SynapseTarget::new("warehouse", Dialect::Serverless, pool.connection()).unwrap();
        assert_eq!(target.sight().await.unwrap(), Some(sight), "{told}");
    }
}

#[tokio::test]
async fn of_a_dedicated_pool_the_catalog_tells() {
    let stage = Stage::dedicated().await;
    assert_eq!(stage.target().sight().await.unwrap(), None);
}
