//! Metadata keys that begin with `swim.` are the protocol's own.

mod common;

use std::collections::HashMap;

use common::{Cluster, addr, id};
use swim_core::{GossipProtocol, Member, MetadataError, Options};

fn node(metadata: HashMap<String, String>) -> Result<GossipProtocol, swim_core::ConfigError> {
    GossipProtocol::builder(id(0), addr(0)).metadata(metadata).build()
}

#[test]
fn a_reserved_key_is_refused_by_name_in_an_update() {
    let mut protocol = node(HashMap::new()).unwrap();
    for key in [Member::DEGRADED, "swim.", "swim.mine"] {
        let error = protocol.try_update_metadata(key.into(), "1".into()).unwrap_err();
        assert_eq!(error, MetadataError::Reserved { key: key.to_owned() });
        assert!(error.to_string().contains(&format!("{key:?}")), "{error}");
        assert!(!protocol.local_member().metadata.contains_key(key));
    }
    assert!(protocol.try_update_metadata("swimming".into(), "1".into()).is_ok());
}

#[test]
fn a_reserved_key_is_refused_by_name_by_the_builder() {
    let error = node(HashMap::from([("swim.mine".into(), "1".into())])).unwrap_err();
    assert!(error.to_string().contains("\"swim.mine\""), "{error}");
    assert!(node(HashMap::from([("swimming".into(), "1".into())])).is_ok());
}

#[test]
fn the_mark_takes_nothing_from_the_limit_of_the_user() {
    let mut cluster = Cluster::converged(2, 5, Options::default());
    let set = |value: &str| {
        let value = value.repeat(490);
        move |protocol: &mut GossipProtocol| {
            protocol.try_update_metadata("k".into(), value).unwrap()
        }
    };
    cluster.act(0, set("x"));
    for other in 2..5 {
        cluster.cut(0, other);
        cluster.cut(other, 0);
    }
    cluster.run_until(200, |cluster| cluster.node(0).local_member().is_degraded());
    let own = cluster.node(0).local_member();
    assert!(own.is_degraded());
    assert!(swim_core::metadata_len(&own.metadata) > Options::default().metadata_limit);
    cluster.act(0, set("y"));
    assert!(cluster.node(0).local_member().is_degraded(), "the mark stays");
}
