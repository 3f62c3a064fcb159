//! From a pod's name to its workload, by the names that Kubernetes itself generates.

use std::borrow::Cow;

/// The alphabet of random suffixes in Kubernetes (`k8s.io/apimachinery/pkg/util/rand`): no vowels, so no words, and no
/// digits that look like letters.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The alphabet of a pod-template-hash. The hash is a decimal 32-bit number whose digits `rand.SafeEncodeString` maps
/// into [`ALPHABET`], so only ten of its characters occur: those of the digits 6 to 9, then 0 to 5.
const HASH_ALPHABET: &[u8] = b"bcdf456789";

/// Characters of the random suffix of a generated name.
const SUFFIX: usize = 5;

/// The fewest characters of a pod-template-hash. One template in 43,000 has fewer: its pods are attributed to a
/// DaemonSet. A lower bound would attribute the pods of a DaemonSet `my-db` to a Deployment `my`.
const MIN_HASH: usize = 6;

/// The most characters of a pod-template-hash: a 32-bit number has no more digits.
const MAX_HASH: usize = 10;

/// The fewest digits of the time in a CronJob's job's name: minutes since 1970, 8 digits until 2160 (old releases:
/// seconds).
const MIN_STAMP: usize = 8;

/// Characters of the longest generated name; the part before the suffix is cut to fit, its hyphen first.
const MAX_GENERATED: usize = 63;

/// The kind and name of the workload that a pod of this name belongs to; `None` for a name that is not generated.
pub(crate) fn workload<'a>(pod: &Cow<'a, str>) -> Option<(Cow<'static, str>, Cow<'a, str>)> {
    let (kind, name) = match pod {
        Cow::Borrowed(pod) => owner(pod).map(|(kind, name)| (kind, Cow::Borrowed(name))),
        Cow::Owned(pod) => owner(pod).map(|(kind, name)| (kind, Cow::Owned(name.to_owned()))),
    }?;
    Some((Cow::Borrowed(kind), name))
}

fn owner(pod: &str) -> Option<(&'static str, &str)> {
    let Some(Generated { base, whole }) = generated(pod) else {
        let (name, ordinal) = split(pod)?;
        return is_ordinal(ordinal).then_some(("StatefulSet", name));
    };
    // If the base was cut, only a part of the hash or time may be left.
    let (min_hash, min_stamp) = if whole { (MIN_HASH, MIN_STAMP) } else { (1, 1) };
    match split(base) {
        // The hash goes first: it can be all digits, but not those that a time begins with (1 to 3, until 2046).
        Some((name, tail)) if (min_hash..=MAX_HASH).contains(&tail.len()) && all(tail, HASH_ALPHABET) => {
            Some(("Deployment", name))
        }
        Some((name, tail)) if tail.len() >= min_stamp && all(tail, b"0123456789") => Some(("CronJob", name)),
        _ => Some(("DaemonSet", base)),
    }
}

/// A name that ends in a random suffix.
struct Generated<'a> {
    /// The part before the suffix.
    base: &'a str,
    /// Whether that part is complete.
    whole: bool,
}

fn generated(pod: &str) -> Option<Generated<'_>> {
    let (base, suffix) = pod.split_at_checked(pod.len().checked_sub(SUFFIX)?)?;
    if !all(suffix, ALPHABET) {
        return None;
    }
    match base.strip_suffix('-') {
        Some(base) => Some(Generated { base, whole: true }),
        None => (pod.len() == MAX_GENERATED).then_some(Generated { base, whole: false }),
    }
    .filter(|generated| !generated.base.is_empty())
}

/// Splits a name at its last hyphen, if both sides are non-empty.
fn split(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('-').filter(|(head, tail)| !head.is_empty() && !tail.is_empty())
}

fn all(text: &str, alphabet: &[u8]) -> bool {
    text.bytes().all(|byte| alphabet.contains(&byte))
}

/// Whether a text is a decimal number as Kubernetes writes one: without leading zeros.
fn is_ordinal(text: &str) -> bool {
    all(text, b"0123456789") && (text == "0" || !text.starts_with('0'))
}
