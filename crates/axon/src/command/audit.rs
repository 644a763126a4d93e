//! `axon audit verify | export`

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use axon_audit::{
    Broken, Chain, ExportError, PublicKey, Signed, Verified, Verifier, export_header, export_line,
    verify_export_by,
};
use axon_model::RecordSeq;
use axon_store::Store;

use super::{Status, print_json};
use crate::cli::AuditCommand;
use crate::wiring::{Parts, load_config};

/// Records read in one go.
const SOME: u32 = 1_000;

/// Proves or exports the journal. An export is proved without a store or a configuration.
pub async fn run(config: &Path, command: AuditCommand) -> anyhow::Result<Status> {
    match command {
        AuditCommand::Verify { export: Some(file), key, json } => {
            let lines = File::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
            match verify_export_by(BufReader::new(lines), None, key) {
                Ok(verified) => tell(&Ok(verified), json),
                Err(ExportError::Broken(broken)) => tell(&Err(broken), json),
                Err(error) => Err(error).with_context(|| file.display().to_string()),
            }
        }
        AuditCommand::Verify { export: None, key, json } => {
            let parts = Parts::open_existing(load_config(config)?).await?;
            let proved = prove(parts.store.as_ref(), key).await;
            parts.store.close().await;
            tell(&proved?, json)
        }
        AuditCommand::Key => {
            let parts = Parts::open_existing(load_config(config)?).await?;
            let key = parts.signing_key();
            parts.store.close().await;
            let key = key.context(
                "the journal is not signed here: name a folder as integrations.secrets in the configuration, which this process can write",
            )?;
            println!("{}", key.public());
            Ok(Status::Done)
        }
        AuditCommand::Export { out, without_names } => {
            let parts = Parts::open_existing(load_config(config)?).await?;
            let written = match &out {
                Some(path) => {
                    let file =
                        File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
                    let mut out = BufWriter::new(file);
                    let count = export(parts.store.as_ref(), &mut out, without_names).await?;
                    out.flush()?;
                    count
                }
                None => export(parts.store.as_ref(), &mut std::io::stdout().lock(), without_names).await?,
            };
            parts.store.close().await;
            eprintln!("{written} records");
            Ok(Status::Done)
        }
    }
}

/// Proves the store's chain up to where it stands now, and what the key signed of it.
async fn prove(store: &dyn Store, key: Option<PublicKey>) -> anyhow::Result<Result<Verified, Broken>> {
    let head = store.head().await?;
    let mut verifier = Verifier::after(Chain::EMPTY).by(key);
    let mut next = RecordSeq(1);
    while next <= head.seq {
        let some = store.records(next, SOME).await?;
        if some.is_empty() {
            break;
        }
        for entry in &some {
            if entry.record.seq > head.seq {
                break;
            }
            if let Err(broken) = verifier.take(&entry.record, entry.clear.as_ref()) {
                return Ok(Err(broken));
            }
            next = entry.record.seq.next();
        }
    }
    Ok(verifier.finish(Some(head)))
}

async fn export(store: &dyn Store, out: &mut impl Write, without_names: bool) -> anyhow::Result<u64> {
    out.write_all(export_header(Chain::EMPTY)?.as_bytes())?;
    let mut next = RecordSeq(1);
    let mut count = 0;
    loop {
        let some = store.records(next, SOME).await?;
        if some.is_empty() {
            return Ok(count);
        }
        for entry in &some {
            let clear = entry.clear.as_ref().filter(|_| !without_names);
            out.write_all(export_line(&entry.record, clear)?.as_bytes())?;
            next = entry.record.seq.next();
            count += 1;
        }
    }
}

fn tell(proved: &Result<Verified, Broken>, json: bool) -> anyhow::Result<Status> {
    let (status, value) = match proved {
        Ok(verified) => {
            let mut value = serde_json::json!({
                "ok": true, "records": verified.records, "erased": verified.erased,
                "head": verified.head.hash.to_string(), "position": verified.head.seq,
            });
            if let Some(Signed { checkpoints, upto }) = verified.signed {
                value["signed"] = serde_json::json!({ "checkpoints": checkpoints, "position": upto });
            }
            // A chain that somebody wrote anew holds: what the key signed is missing then.
            let signed = verified.signed.is_none_or(|signed| signed.checkpoints > 0);
            (if signed { Status::Done } else { Status::Found }, value)
        }
        Err(broken) => (
            Status::Found,
            serde_json::json!({ "ok": false, "record": broken.seq, "what": broken.what.to_string() }),
        ),
    };
    if json {
        print_json(&value)?;
        return Ok(status);
    }
    match proved {
        Ok(verified) => {
            println!(
                "the chain holds: {} records ({} with erased names), head {}",
                verified.records, verified.erased, verified.head.hash
            );
            match verified.signed {
                None => {}
                Some(Signed { checkpoints: 0, .. }) => println!("the key signed nothing of it"),
                Some(Signed { checkpoints, upto }) => {
                    println!("signed up to record {upto}, by {checkpoints} checkpoints");
                }
            }
        }
        Err(broken) => println!("the chain is broken at record {}: {}", broken.seq, broken.what),
    }
    Ok(status)
}
