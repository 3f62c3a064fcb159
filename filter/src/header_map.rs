//! Header maps as proxy-wasm's ABI 0.2.1 serialises them, all numbers little-endian `u32`: the number of headers; the
//! lengths of each name and value; each name and value, followed by a NUL.

/// Calls `each` with every name and value of a serialised map, in order. `None` if the map is malformed; `each` has then
/// seen the headers before the defect.
pub fn visit<'a>(map: &'a [u8], mut each: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
    let (count, rest) = map.split_first_chunk::<4>()?;
    let size_of_lengths = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(8)?;
    let (lengths, mut data) = rest.split_at_checked(size_of_lengths)?;
    for [name, value] in lengths.as_chunks::<4>().0.as_chunks::<2>().0 {
        let name = take(&mut data, *name)?;
        let value = take(&mut data, *value)?;
        each(name, value);
    }
    Some(())
}

fn take<'a>(data: &mut &'a [u8], length: [u8; 4]) -> Option<&'a [u8]> {
    let (item, rest) = data.split_at_checked(usize::try_from(u32::from_le_bytes(length)).ok()?)?;
    *data = rest.strip_prefix(b"\0")?;
    Some(item)
}

/// Serialises `headers`.
pub fn serialize(headers: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut map = length(headers.len()).to_vec();
    for (name, value) in headers {
        map.extend(length(name.len()));
        map.extend(length(value.len()));
    }
    for text in headers.iter().flat_map(|(name, value)| [name, value]) {
        map.extend_from_slice(text);
        map.push(0);
    }
    map
}

/// The ABI has 32-bit lengths; wasm32 memory cannot hold more.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{serialize, visit};

    #[test]
    fn the_format_is_the_abis() {
        let map = serialize(&[(b"a", b"bcd")]);
        assert_eq!(map, b"\x01\0\0\0\x01\0\0\0\x03\0\0\0a\0bcd\0");
    }

    #[test]
    fn a_map_truncated_anywhere_is_malformed() {
        let map = serialize(&[(b":path", b"/"), (b"accept", b"")]);
        for length in 0..map.len() {
            assert_eq!(visit(map.get(..length).unwrap(), |_, _| {}), None, "{length}");
        }
    }

    #[test]
    fn lengths_beyond_the_map_are_malformed() {
        assert_eq!(visit(&[0xff; 4], |_, _| {}), None);
        assert_eq!(visit(b"\x01\0\0\0\xff\xff\xff\xff\0\0\0\0a\0\0", |_, _| {}), None);
    }

    proptest! {
        #[test]
        fn a_serialised_map_reads_back(headers in vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..8)) {
            let headers: Vec<(&[u8], &[u8])> = headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
            let map = serialize(&headers);
            let mut read = Vec::new();
            prop_assert_eq!(visit(&map, |name, value| read.push((name, value))), Some(()));
            prop_assert_eq!(read, headers);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(map in any::<Vec<u8>>()) {
            let _ = visit(&map, |_, _| {});
        }
    }
}
