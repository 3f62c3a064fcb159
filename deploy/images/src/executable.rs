//! What can be seen of a program without running it: that it is for the platform, and needs no other file.

use anyhow::{Context, Result, ensure};
use oci_spec::image::Arch;

/// `\x7fELF`, 64 bit, little-endian.
const IDENTITY: &[u8] = b"\x7fELF\x02\x01";
/// The program header that names a dynamic linker.
const PT_INTERP: u32 = 3;
/// Machines of the ELF header.
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;

/// Checks that `program` is a static executable for `arch`.
///
/// # Errors
/// If it is not; the error says what it is, or what to do.
pub fn check(program: &[u8], arch: &Arch) -> Result<()> {
    ensure!(program.starts_with(IDENTITY), "the sidecar is no 64-bit ELF program");
    let machine = u16::from_le_bytes(field(program, 18)?);
    let expected = match arch {
        Arch::Amd64 => EM_X86_64,
        Arch::ARM64 => EM_AARCH64,
        other => anyhow::bail!("{other} is no platform of the sidecar: amd64 and arm64 are"),
    };
    ensure!(machine == expected, "the sidecar for {arch} is for ELF machine {machine}, not {expected}");
    let headers = usize::try_from(u64::from_le_bytes(field(program, 32)?))?;
    let size = usize::from(u16::from_le_bytes(field(program, 54)?));
    for number in 0..usize::from(u16::from_le_bytes(field(program, 56)?)) {
        let kind = u32::from_le_bytes(field(program, headers.saturating_add(number * size))?);
        ensure!(
            kind != PT_INTERP,
            "the sidecar for {arch} needs a dynamic linker, which the image does not have; build it for a musl target"
        );
    }
    Ok(())
}

/// `N` bytes at `offset`.
fn field<const N: usize>(program: &[u8], offset: usize) -> Result<[u8; N]> {
    let bytes = program.get(offset..).and_then(|rest| rest.first_chunk());
    bytes.copied().with_context(|| format!("the sidecar ends before byte {offset}: its file is cut"))
}

#[cfg(test)]
mod tests {
    use oci_spec::image::Arch;

    use super::{EM_AARCH64, EM_X86_64, IDENTITY, PT_INTERP, check};

    /// An ELF header with one program header of this type.
    fn elf(machine: u16, kind: u32) -> Vec<u8> {
        let mut elf = vec![0; 64 + 56];
        elf[..IDENTITY.len()].copy_from_slice(IDENTITY);
        elf[18..20].copy_from_slice(&machine.to_le_bytes());
        elf[32..40].copy_from_slice(&64_u64.to_le_bytes());
        elf[54..56].copy_from_slice(&56_u16.to_le_bytes());
        elf[56..58].copy_from_slice(&1_u16.to_le_bytes());
        elf[64..68].copy_from_slice(&kind.to_le_bytes());
        elf
    }

    #[test]
    fn a_static_program_for_the_platform_passes() {
        assert!(check(&elf(EM_X86_64, 1), &Arch::Amd64).is_ok());
        assert!(check(&elf(EM_AARCH64, 1), &Arch::ARM64).is_ok());
    }

    #[test]
    fn a_dynamic_program_is_an_error_that_says_what_to_do() {
        let error = check(&elf(EM_X86_64, PT_INTERP), &Arch::Amd64).unwrap_err().to_string();
        assert!(error.contains("dynamic linker") && error.contains("musl"), "{error}");
    }

    #[test]
    fn a_program_for_another_machine_a_cut_one_and_another_file_are_errors() {
        for (file, expected) in [
            (elf(EM_X86_64, 1), "for ELF machine 62"),
            (elf(EM_AARCH64, 1)[..50].to_vec(), "cut"),
            (b"#!/bin/sh\n".to_vec(), "no 64-bit ELF"),
        ] {
            let error = check(&file, &Arch::ARM64).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn this_very_test_is_a_dynamic_program_of_the_host() {
        let arch = if cfg!(target_arch = "aarch64") { Arch::ARM64 } else { Arch::Amd64 };
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(check(&own, &arch).is_ok(), cfg!(target_feature = "crt-static"));
    }
}
