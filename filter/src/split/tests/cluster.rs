//! The cluster that sub-requests are sent to.

use onceway_signal::Source;

use super::{Scene, fingerprint, firing};
use crate::fake_host::{Call, FakeHost};
use crate::{Config, Decision};

fn scene(host: FakeHost, config: Config) -> Scene {
    Scene::over(host, config, &["a", "b"].map(firing))
}

fn host() -> FakeHost {
    FakeHost::post(Source::Prometheus.path())
}

fn clusters(scene: &Scene) -> Vec<String> {
    scene.host.sent().into_iter().map(|sent| sent.cluster).collect()
}

#[test]
fn without_a_configured_cluster_it_is_that_of_the_requests_route() {
    let scene = scene(host().route_cluster(Some(b"sidecars")), Config::default());
    assert_eq!(clusters(&scene), ["sidecars", "sidecars"]);
    assert_eq!(scene.host.calls(Call::RouteCluster), 1, "read once per split");
}

#[test]
fn a_configured_cluster_wins_over_the_routes() {
    let config = Config { cluster: Some("configured".to_owned()), ..Config::default() };
    let scene = scene(host().route_cluster(Some(b"sidecars")), config);
    assert_eq!(clusters(&scene), ["configured", "configured"]);
    assert_eq!(scene.host.calls(Call::RouteCluster), 0);
}

#[test]
fn without_any_cluster_the_body_passes_through_whole() {
    let hosts = [
        (host().route_cluster(None), "set `cluster`"),
        (host().route_cluster(Some(b"")), "set `cluster`"),
        (host().route_cluster(Some(b"\xff")), "set `cluster`"),
        (host().failing(Call::RouteCluster), "fake failed with proxy-wasm status 10"),
    ];
    for (host, reason) in hosts {
        let scene = scene(host, Config::default());
        assert_eq!((clusters(&scene), scene.host.response()), (vec![], None));
        assert_eq!(scene.host.fingerprint(), Some(fingerprint("a")));
        assert_eq!(scene.host.counted(), [Decision::Several]);
        assert!(scene.host.logged().concat().contains(reason), "{:?}", scene.host.logged());
    }
}
