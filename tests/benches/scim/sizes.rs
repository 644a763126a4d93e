//! What the size of a group costs: one member more or less in a group of 100,000 and in one of 10, and the reading of the large one.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::ms;
use crate::requests;
use crate::stage::Stage;
use crate::wire::Client;

const TIMES: u64 = 400;

/// Measures and prints.
pub async fn print(stage: &Stage) -> anyhow::Result<()> {
    let mut client = Client::connect(stage.host()).await?;
    let seeded = &stage.seeded;
    let (mut small, mut large) = (Vec::new(), Vec::new());
    let mut request = Vec::new();
    // In turn, so that both meet the same machine. A member leaves and comes back.
    for n in 0..TIMES {
        for (group, times) in [(&seeded.pairs[3], &mut small), (&seeded.everyone, &mut large)] {
            let user = &seeded.users[33];
            let body = if n % 2 == 0 { requests::leave(user) } else { requests::join(user) };
            request.clear();
            stage.door().send(&mut request, "PATCH", &format!("/Groups/{group}"), &body);
            let began = Instant::now();
            let status = client.ask(&request).await?.status;
            times.push(began.elapsed());
            ensure!(status == 204, "a member PATCH was answered {status}");
        }
    }
    let (small, large) = (median(small), median(large));
    println!(
        "\none member more or less, one client: in a group of 10 {:.2} ms, in a group of 100,000 {:.2} ms: {:.2} times",
        ms(small),
        ms(large),
        large.as_secs_f64() / small.as_secs_f64()
    );
    let before = stage.resident()?.1;
    for (what, query) in [("whole", ""), ("without its members", "?excludedAttributes=members")] {
        request.clear();
        stage.door().get(&mut request, &format!("/Groups/{}{query}", seeded.everyone));
        let began = Instant::now();
        let answer = client.ask(&request).await?;
        let (status, bytes) = (answer.status, answer.body.len());
        ensure!(status == 200, "GET of the large group was answered {status}");
        println!("GET of a group of 100,000, {what}: {:.1} ms, {bytes} bytes", ms(began.elapsed()));
    }
    let after = stage.resident()?.1;
    println!("the highest memory rose by {} MiB while the large group was read", after - before);
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
