//! The RRs and claims of the namespace, page by page and within a time limit.

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use onceway_signal::Fingerprint;
use tokio::time::{Instant, timeout_at};

use crate::cluster_access::{Cluster, reason};
use crate::executor::{CLAIM_LABELS, FLOOR, INTENT, fingerprint_of_claim};
use crate::index::observed::Observed;

/// RRs per page: each may have 100 KiB, and a page is held in memory as a whole, in a replica's container beside the replica.
const RRS_PER_PAGE: u32 = 50;
/// Claims per page; of these only the metadata is read.
const CLAIMS_PER_PAGE: u32 = 500;
/// Pages that are read of either.
const MAX_PAGES: usize = 400;

/// What was read of a list.
#[derive(Clone, Debug)]
pub(super) struct Listed<T> {
    pub(super) items: Vec<T>,
    /// Whether that is all: neither the time nor the number of pages was used up.
    pub(super) complete: bool,
}

/// A Lease with the name of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) name: String,
    /// The RR that it names, and the last second used in a name; `None` if its annotations are not those of a claim.
    pub(super) fields: Option<(String, i64)>,
}

/// Lists the claims until `deadline`. To be called before [`rrs`]: a claim comes before its RR, and goes after it.
pub(super) async fn claims(cluster: &Cluster, deadline: Instant) -> Result<Listed<Claim>, String> {
    let leases = Api::<Lease>::namespaced(cluster.client.clone(), &cluster.namespace);
    let params = ListParams::default().labels(CLAIM_LABELS).limit(CLAIMS_PER_PAGE);
    pages(params, deadline, async |params| {
        let page = leases.list_metadata(&params).await?;
        let claims = page.items.iter().filter_map(|lease| {
            let name = lease.name_any();
            let _: Fingerprint = fingerprint_of_claim(&name)?;
            let annotation = |key| lease.annotations().get(key);
            let floor = annotation(FLOOR).and_then(|floor| floor.parse().ok());
            Some(Claim { name, fields: annotation(INTENT).cloned().zip(floor) })
        });
        Ok((claims.collect(), page.metadata.continue_))
    })
    .await
}

/// Lists the RRs until `deadline`.
pub(super) async fn rrs(cluster: &Cluster, deadline: Instant) -> Result<Listed<Observed>, String> {
    let rrs = Api::<Observed>::namespaced(cluster.client.clone(), &cluster.namespace);
    pages(ListParams::default().limit(RRS_PER_PAGE), deadline, async |params| {
        let page = rrs.list(&params).await?;
        Ok((page.items, page.metadata.continue_))
    })
    .await
}

async fn pages<T>(
    first: ListParams,
    deadline: Instant,
    page: impl AsyncFn(ListParams) -> kube::Result<(Vec<T>, Option<String>)>,
) -> Result<Listed<T>, String> {
    let (mut items, mut params) = (Vec::new(), first.clone());
    for _ in 0..MAX_PAGES {
        let Ok(read) = timeout_at(deadline, page(params)).await else {
            return if items.is_empty() {
                Err("no response in time".to_owned())
            } else {
                Ok(Listed { items, complete: false })
            };
        };
        let (more, next) = read.map_err(|error| reason(&error))?;
        items.extend(more);
        match next.filter(|next| !next.is_empty()) {
            Some(next) => params = first.clone().continue_token(&next),
            None => return Ok(Listed { items, complete: true }),
        }
    }
    Ok(Listed { items, complete: false })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::api::ListParams;
    use tokio::time::{Instant, sleep};

    use super::{MAX_PAGES, pages};

    #[tokio::test(start_paused = true)]
    async fn a_list_ends_with_its_last_page_its_time_or_the_limit_of_pages() {
        let within = |seconds| Instant::now() + Duration::from_secs(seconds);
        let three = pages(ListParams::default(), within(10), async |params| {
            let page = params.continue_token.map_or(0, |token| token.parse().unwrap());
            Ok((vec![page], (page < 2).then(|| (page + 1).to_string())))
        });
        let three = three.await.unwrap();
        assert_eq!((three.items, three.complete), (vec![0, 1, 2], true));

        let endless = async |_| Ok((vec![0], Some("more".to_owned())));
        let cut = pages(ListParams::default(), within(10), endless).await.unwrap();
        assert_eq!((cut.items.len(), cut.complete), (MAX_PAGES, false));

        let slow = async |_| {
            sleep(Duration::from_secs(4)).await;
            Ok((vec![0], Some("more".to_owned())))
        };
        let late = pages(ListParams::default(), within(10), slow).await.unwrap();
        assert_eq!((late.items.len(), late.complete), (2, false));
        assert!(pages(ListParams::default(), within(3), slow).await.is_err());
    }
}
