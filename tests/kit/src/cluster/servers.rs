//! The command lines of etcd and kube-apiserver.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::credentials::{CERTIFICATE, KEY, SERVICE_ACCOUNT_KEY, SERVICE_ACCOUNT_PUBLIC_KEY, TOKENS};
use crate::ports::Port;
use crate::service::Service;
use onceway_tools::Tool;

/// Where etcd listens: Unix sockets in its working directory, so that it needs no port. etcd requires a port in the
/// URL.
pub(super) const ETCD_CLIENTS: &str = "unix://etcd:1";
const ETCD_PEERS: &str = "unix://etcd:2";

/// The issuer of service accounts' tokens.
pub const ISSUER: &str = "https://kubernetes.default.svc";

/// The programs of both servers.
pub(super) struct Binaries {
    pub(super) etcd: PathBuf,
    pub(super) apiserver: PathBuf,
}

impl Binaries {
    /// Finds or builds them.
    pub(super) fn get() -> Result<Self> {
        Ok(Self { etcd: Tool::Etcd.get()?, apiserver: Tool::KubeApiserver.get()? })
    }
}

pub(super) fn start_etcd(program: &Path, dir: &Path) -> Result<Service> {
    let (program, cwd) = (program.to_owned(), dir.to_owned());
    Service::start("etcd", dir, move || {
        let mut etcd = Command::new(&program);
        etcd.current_dir(&cwd).args([
            "--name=onceway".to_owned(),
            "--data-dir=etcd-data".to_owned(),
            // Only a crash of the machine loses data; a killed etcd loses none.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
            format!("--listen-client-urls={ETCD_CLIENTS}"),
            format!("--advertise-client-urls={ETCD_CLIENTS}"),
            format!("--listen-peer-urls={ETCD_PEERS}"),
            format!("--initial-advertise-peer-urls={ETCD_PEERS}"),
            format!("--initial-cluster=onceway={ETCD_PEERS}"),
        ]);
        etcd
    })
}

/// `flags` come after its others.
pub(super) fn start_apiserver(program: &Path, dir: &Path, port: &Port, flags: &[&str]) -> Result<Service> {
    let (program, cwd, port) = (program.to_owned(), dir.to_owned(), port.number());
    let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
    Service::start("kube-apiserver", dir, move || {
        let mut apiserver = Command::new(&program);
        apiserver.current_dir(&cwd).args([
            format!("--etcd-servers={ETCD_CLIENTS}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={CERTIFICATE}"),
            format!("--tls-private-key-file={KEY}"),
            "--authorization-mode=RBAC".to_owned(),
            format!("--token-auth-file={TOKENS}"),
            format!("--service-account-issuer={ISSUER}"),
            format!("--service-account-key-file={SERVICE_ACCOUNT_PUBLIC_KEY}"),
            format!("--service-account-signing-key-file={SERVICE_ACCOUNT_KEY}"),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            // It waits for accounts that only the controller manager creates.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
        ]);
        apiserver.args(&flags);
        apiserver
    })
}
