//! A container without an engine: the image's files in a directory that becomes the root of a process.

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, chdir, chroot, setgid, setgroups, setuid};
use oci_spec::image::{Arch, Config, ImageManifest};
use onceway_images::layout::Layout;
use onceway_images::root::unpack;
use onceway_kit::built::images;
use onceway_kit::scratch::Scratch;

/// A container of the sidecar's image.
pub(crate) struct Container {
    scratch: Scratch,
    run: Config,
}

impl Container {
    /// Unpacks the image for this machine.
    pub(crate) fn create(label: &str) -> Result<Self> {
        let scratch = Scratch::new(label)?;
        let root = scratch.path().join("root");
        fs::create_dir(&root)?;
        let layout = Layout::open(&images::path()?.join("onceway"))?;
        let configuration = unpack(&layout, &Arch::from(images::arch()?), &root)?;
        let run = configuration.config().clone().context("the image does not say how it is run")?;
        Ok(Self { scratch, run })
    }

    /// The directory that is its root.
    pub(crate) fn root(&self) -> PathBuf {
        self.scratch.path().join("root")
    }

    /// The file for what its processes print.
    pub(crate) fn log(&self) -> PathBuf {
        self.scratch.path().join("log")
    }

    /// Puts files into a directory of it, as a kubelet mounts them.
    pub(crate) fn mount(&self, dir: &str, files: &[(&str, &str)]) -> Result<()> {
        let dir = self.root().join(dir);
        fs::create_dir_all(&dir)?;
        for (name, content) in files {
            fs::write(dir.join(name), content)?;
        }
        Ok(())
    }

    /// An empty directory of it that its user can write, as an `emptyDir`.
    pub(crate) fn volume(&self, dir: &str) -> Result<PathBuf> {
        let dir = self.root().join(dir);
        fs::create_dir(&dir)?;
        fs::set_permissions(&dir, Permissions::from_mode(0o777))?;
        Ok(dir)
    }

    /// The image's entrypoint with these arguments, as the image's user, with no environment. Without the right to change
    /// the root, starting it fails.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let entrypoint = self.run.entrypoint().clone().unwrap_or_default();
        let (program, first) = entrypoint.split_first().expect("the image has an entrypoint");
        let ids = self.run.user().as_deref().and_then(|user| user.split_once(':'));
        let ids = ids.and_then(|(user, group)| Some((user.parse().ok()?, group.parse().ok()?)));
        let (user, group) = ids.expect("the image's user and group are numbers");
        let mut command = Command::new(program);
        command.args(first).args(arguments).env_clear();
        enter(&mut command, self.root(), Uid::from_raw(user), Gid::from_raw(group));
        command
    }
}

/// The file of an image of one layer with one file.
pub(crate) fn only_file(layout: &Layout) -> Result<Vec<u8>> {
    let manifest: ImageManifest = layout.read_document(&layout.image()?)?;
    let blob = layout.read(manifest.layers().first().context("no layer")?)?;
    let mut archive = tar::Archive::new(GzDecoder::new(blob.as_slice()));
    let mut content = Vec::new();
    archive.entries()?.next().context("no file")??.read_to_end(&mut content)?;
    Ok(content)
}

/// Has `command` run with another root: as root by chroot, as the image's user; as anybody else in a user namespace of its
/// own, where chroot is allowed, and as that user.
fn enter(command: &mut Command, root: PathBuf, user: Uid, group: Gid) {
    let is_root = Uid::effective().is_root();
    let prepare = move || -> io::Result<()> {
        if is_root {
            change_root(&root)?;
            setgroups(&[])?;
            setgid(group)?;
            setuid(user)?;
        } else {
            unshare(CloneFlags::CLONE_NEWUSER)?;
            change_root(&root)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes system calls on values that
    // exist before the fork and builds errors from numbers. nix copies a path of less than a KiB to the stack, so nothing is
    // allocated.
    #[allow(unsafe_code, reason = "std offers no stable way to change a child's root")]
    unsafe {
        command.pre_exec(prepare);
    }
}

fn change_root(root: &Path) -> io::Result<()> {
    chroot(root)?;
    Ok(chdir("/")?)
}
