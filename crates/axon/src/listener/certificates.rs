//! The certificate that clients are shown, read again when its files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// A certificate with its key, from two files.
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    shown: Arc<Shown>,
    /// The files as they were last read, good or bad: a bad pair is reported once.
    read: Mutex<[u8; 32]>,
    acceptor: TlsAcceptor,
}

/// What clients are shown now.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Certificates {
    /// Reads the files.
    pub fn load(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let files = Files::read(certificate, key)?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(files.pair(certificate, key)?))));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS")?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            shown,
            read: Mutex::new(files.digest()),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// Accepts TLS with what is shown now.
    pub fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Looks at the files until the end; `look_now` looks at once. A pair that cannot be used leaves the old one in force.
    pub async fn follow(&self, mut look_now: watch::Receiver<u64>) {
        loop {
            if let Ok(Err(_)) = tokio::time::timeout(LOOK, look_now.changed()).await {
                return;
            }
            match self.look() {
                Ok(false) => {}
                Ok(true) => {
                    metrics::counter!("axon_tls_reloads_total", "outcome" => "taken").increment(1);
                    tracing::info!("a new TLS certificate is in force");
                }
                Err(error) => {
                    metrics::counter!("axon_tls_reloads_total", "outcome" => "refused").increment(1);
                    tracing::error!("the TLS certificate in force stays: {error:#}");
                }
            }
        }
    }

    /// Takes up the files if they changed since they were last read. Whether there is a new pair.
    fn look(&self) -> anyhow::Result<bool> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let files = match Files::read(&self.certificate, &self.key) {
            Ok(files) => files,
            // Files that are not there are reported once as well: they may be on their way.
            Err(error) => return if std::mem::take(&mut *read) == [0; 32] { Ok(false) } else { Err(error) },
        };
        let digest = files.digest();
        if digest == *read {
            return Ok(false);
        }
        *read = digest;
        let pair = files.pair(&self.certificate, &self.key)?;
        let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
        if shown.cert == pair.cert {
            return Ok(false);
        }
        *shown = Arc::new(pair);
        Ok(true)
    }
}

/// The two files' bytes.
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    fn read(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let read = |file: &Path, what: &str| {
            std::fs::read(file).with_context(|| format!("cannot read {what} {}", file.display()))
        };
        Ok(Self { certificate: read(certificate, "tls.certificate")?, key: read(key, "tls.key")? })
    }

    fn digest(&self) -> [u8; 32] {
        let whole = Sha256::new().chain_update(Sha256::digest(&self.certificate)).chain_update(&self.key);
        whole.finalize().into()
    }

    fn pair(&self, certificate: &Path, key: &Path) -> anyhow::Result<CertifiedKey> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<_, _>>().with_context(
                || format!("tls.certificate {} is not a PEM file of certificates", certificate.display()),
            )?;
        if chain.is_empty() {
            anyhow::bail!("tls.certificate {} holds no certificate in PEM", certificate.display());
        }
        // What is wrong with a key is not said in the words of its file.
        let private = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| anyhow::anyhow!("tls.key {} holds no private key in PEM", key.display()))?;
        CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider()).with_context(|| {
            format!("tls.key {} is not the key of tls.certificate {}", key.display(), certificate.display())
        })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};

    use super::*;

    fn made() -> Made<rcgen::KeyPair> {
        generate_simple_self_signed(["localhost".to_owned()]).unwrap()
    }

    #[test]
    fn a_new_pair_is_taken_and_a_bad_one_leaves_the_old_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
        let (first, second) = (made(), made());
        let write = |cert: &str, private: &str| {
            std::fs::write(&certificate, cert).unwrap();
            std::fs::write(&key, private).unwrap();
        };
        write(&first.cert.pem(), &first.signing_key.serialize_pem());
        let certificates = Certificates::load(&certificate, &key).unwrap();
        let shown = || certificates.shown.0.read().unwrap().cert[0].as_ref().to_vec();
        assert!(!certificates.look().unwrap(), "nothing changed");
        // The certificate is there before its key is: refused, reported once.
        std::fs::write(&certificate, second.cert.pem()).unwrap();
        let said = format!("{:#}", certificates.look().unwrap_err());
        assert!(said.contains("is not the key of"), "{said}");
        assert!(!certificates.look().unwrap());
        assert_eq!(shown(), first.cert.der().as_ref());
        std::fs::write(&key, second.signing_key.serialize_pem()).unwrap();
        assert!(certificates.look().unwrap());
        assert_eq!(shown(), second.cert.der().as_ref());
        for (cert, private) in
            [("", ""), ("garbage", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")]
        {
            write(cert, private);
            let said = format!("{:#}", certificates.look().unwrap_err());
            assert!(said.contains("tls.") && !said.contains("AAAA"), "{said}");
            assert_eq!(shown(), second.cert.der().as_ref());
        }
        std::fs::remove_file(&key).unwrap();
        assert!(certificates.look().is_err() && !certificates.look().unwrap(), "said once");
        write(&first.cert.pem(), &first.signing_key.serialize_pem());
        assert!(certificates.look().unwrap());
        assert_eq!(shown(), first.cert.der().as_ref());
    }
}
