use std::sync::atomic::{AtomicUsize, Ordering};

use axon_model::ManualClock;
use axon_reconcile::{InspectScope, Target as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const MAP: &str = "\
axon: 1
targets:
  one:   { kind: azure-rbac, scope: /subscriptions/s/resourceGroups/one, auth: { token-file: token } }
  two:   { kind: azure-rbac, scope: /subscriptions/s/resourceGroups/two, auth: { token-file: token } }
  three: { kind: azure-rbac, scope: /subscriptions/s/resourceGroups/three, auth: { token-file: other } }
";

/// A Resource Manager that has had enough, and how often it had to say so.
async fn throttled() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 16 * 1024];
            if stream.read(&mut bytes).await.is_ok_and(|n| n > 0) {
                count.fetch_add(1, Ordering::SeqCst);
                let said =
                    b"HTTP/1.1 429 x\r\nretry-after: 600\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(said).await.unwrap();
            }
        }
    });
    (address, asked)
}

#[tokio::test]
async fn a_new_version_of_the_map_keeps_the_silence_that_was_asked_for() {
    let (address, asked) = throttled().await;
    let folder = tempfile::tempdir().unwrap();
    for file in ["token", "other"] {
        std::fs::write(folder.path().join(file), "TOKEN").unwrap();
    }
    let map = RoleMap::parse(&[("map.yaml", MAP)]).unwrap();
    let azure = Azure { resource_manager: Some(address), ..Azure::default() };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(time::macros::datetime!(2026-11-22 10:00 UTC)));
    let version = |told: &Told| {
        let ids = Arc::new(IdSource::Random);
        Ways::new(&azure, folder.path().to_owned(), clock.clone(), ids, told.clone()).unwrap()
    };
    let look = async |ways: &Ways, name: &str| {
        let spec = map.targets.values().find(|spec| spec.name.as_str() == name).unwrap();
        let target = ways.target(&map, spec).unwrap();
        let told = target.inspect(InspectScope::Full).await.unwrap_err().to_string();
        assert!(told.contains("left alone for 600 s"), "{told}");
        asked.load(Ordering::SeqCst)
    };
    let told = Told::default();
    let first = version(&told);
    assert_eq!(look(&first, "one").await, 1);
    assert_eq!(look(&first, "two").await, 1, "it has the same identity");
    assert_eq!(look(&version(&told), "one").await, 1, "of the next version of the map, too");
    assert_eq!(look(&first, "three").await, 2, "another identity was told nothing yet");
    assert_eq!(look(&version(&Told::default()), "one").await, 3, "and so was another process");
}
