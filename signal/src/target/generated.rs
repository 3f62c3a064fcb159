//! From the name of a pod, a Job or a ReplicaSet to its workload, by the names that Kubernetes itself generates.

/// The alphabet of random suffixes in Kubernetes (`k8s.io/apimachinery/pkg/util/rand`): no vowels, so no words, and no
/// digits that look like letters.
static ALPHABET: Alphabet = Alphabet::of(b"bcdfghjklmnpqrstvwxz2456789");

/// The alphabet of a pod-template-hash. The hash is a decimal 32-bit number whose digits `rand.SafeEncodeString` maps
/// into [`ALPHABET`], so only ten of its characters occur: those of the digits 6 to 9, then 0 to 5.
static HASH_ALPHABET: Alphabet = Alphabet::of(b"bcdf456789");

static DIGITS: Alphabet = Alphabet::of(b"0123456789");

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

/// Static pods are named after a component and their node, whatever the node's name looks like.
const STATIC_PODS: [&str; 4] = ["etcd-", "kube-apiserver-", "kube-scheduler-", "kube-controller-manager-"];

/// The kind and name of the workload that an object of this kind and name belongs to; `None` for a name that is not
/// generated.
pub(crate) fn owner<'n>(kind: &str, name: &'n str, namespace: Option<&str>) -> Option<(&'static str, &'n str)> {
    match kind {
        "Pod" if is_static(name, namespace) => None,
        "Pod" => workload_of(name),
        "Job" => cron_job(name).map(|name| ("CronJob", name)),
        "ReplicaSet" => deployment(name).map(|name| ("Deployment", name)),
        _ => None,
    }
}

/// The kind and name of the workload that a pod of this name belongs to; `None` for a name that is not generated.
pub(crate) fn workload_of(pod: &str) -> Option<(&'static str, &str)> {
    let Some(Generated { base, whole }) = generated(pod) else {
        let (name, ordinal) = split(pod)?;
        return is_ordinal(ordinal).then_some(("StatefulSet", name));
    };
    // If the base was cut, only a part of the hash or time may be left.
    let (min_hash, min_stamp) = if whole { (MIN_HASH, MIN_STAMP) } else { (1, 1) };
    match split(base) {
        // The hash goes first: it can be all digits, but not those that a time begins with (1 to 3, until 2046).
        Some((name, tail)) if (min_hash..=MAX_HASH).contains(&tail.len()) && HASH_ALPHABET.makes(tail) => {
            Some(("Deployment", name))
        }
        Some((name, tail)) if tail.len() >= min_stamp && DIGITS.makes(tail) => Some(("CronJob", name)),
        _ => Some(("DaemonSet", base)),
    }
}

/// The CronJob of a Job of this name.
fn cron_job(job: &str) -> Option<&str> {
    split(job).filter(|(_, stamp)| stamp.len() >= MIN_STAMP && DIGITS.makes(stamp)).map(|(name, _)| name)
}

/// The Deployment of a ReplicaSet of this name.
fn deployment(replica_set: &str) -> Option<&str> {
    let is_hash = |tail: &str| (MIN_HASH..=MAX_HASH).contains(&tail.len()) && HASH_ALPHABET.makes(tail);
    split(replica_set).filter(|(_, tail)| is_hash(tail)).map(|(name, _)| name)
}

/// Whether a pod is one of the control plane's static pods. A number alone is an ordinal: no node is called `0`.
fn is_static(pod: &str, namespace: Option<&str>) -> bool {
    let node = STATIC_PODS.iter().find_map(|component| pod.strip_prefix(component));
    let is_node = node.is_some_and(|node| !is_ordinal(node));
    is_node && namespace.is_some_and(|namespace| namespace == "kube-system" || namespace.starts_with("openshift-"))
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
    if !ALPHABET.makes(suffix) {
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

/// Characters, as a table: the names of pods are compared with them for every alert.
struct Alphabet([bool; 256]);

impl Alphabet {
    #[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
    const fn of(characters: &[u8]) -> Self {
        let (mut table, mut next) = ([false; 256], 0);
        while next < characters.len() {
            table[characters[next] as usize] = true;
            next += 1;
        }
        Self(table)
    }

    /// Whether the text has no other characters.
    fn makes(&self, text: &str) -> bool {
        text.bytes().all(|byte| self.0.get(usize::from(byte)).is_some_and(|is_in| *is_in))
    }
}

/// Whether a text is a decimal number as Kubernetes writes one: without leading zeros.
fn is_ordinal(text: &str) -> bool {
    DIGITS.makes(text) && (text == "0" || !text.starts_with('0'))
}
