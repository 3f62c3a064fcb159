//! The filter's memory, and the ABI's formats in it.

use wasmtime::{Caller, Extern, Memory, Result, bail, format_err};

use super::OK;
use crate::proxy::{Headers, Proxy};

/// The export by which the filter allocates what a host call returns.
const ALLOCATE: &str = "proxy_on_memory_allocate";

/// The VM during a host call.
pub(super) struct Guest<'a> {
    caller: Caller<'a, Proxy>,
    memory: Memory,
}

impl<'a> Guest<'a> {
    pub(super) fn new(mut caller: Caller<'a, Proxy>) -> Result<Guest<'a>> {
        let Some(Extern::Memory(memory)) = caller.get_export("memory") else { bail!("the filter exports no memory") };
        Ok(Guest { caller, memory })
    }

    pub(super) fn proxy(&mut self) -> &mut Proxy {
        self.caller.data_mut()
    }

    pub(super) fn bytes(&self, place: u64, size: u64) -> Result<Vec<u8>> {
        let place = usize::try_from(place)?;
        let bytes =
            self.memory.data(&self.caller).get(place..).and_then(|rest| rest.get(..usize::try_from(size).ok()?));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| format_err!("{size} bytes at {place} are outside the filter's memory"))
    }

    pub(super) fn text(&self, place: u64, size: u64) -> Result<String> {
        Ok(String::from_utf8(self.bytes(place, size)?)?)
    }

    pub(super) fn write(&mut self, place: u64, bytes: &[u8]) -> Result<()> {
        Ok(self.memory.write(&mut self.caller, usize::try_from(place)?, bytes)?)
    }

    /// Returns bytes to the filter in memory that the filter allocates; no bytes are a null pointer, as in Envoy.
    pub(super) fn return_bytes(&mut self, bytes: &[u8], data: u64, size: u64) -> Result<u32> {
        let length = u32::try_from(bytes.len())?;
        let place = if bytes.is_empty() { 0 } else { self.allocate(length)? };
        self.write(u64::from(place), bytes)?;
        self.write(data, &place.to_le_bytes())?;
        self.write(size, &length.to_le_bytes())?;
        Ok(OK)
    }

    fn allocate(&mut self, size: u32) -> Result<u32> {
        let Some(Extern::Func(allocate)) = self.caller.get_export(ALLOCATE) else {
            bail!("the filter exports no {ALLOCATE}");
        };
        self.caller.data_mut().stream.entries.push(ALLOCATE.to_owned());
        let allocate = allocate.typed::<u32, u32>(&self.caller)?;
        match allocate.call(&mut self.caller, size)? {
            0 => bail!("the filter could not allocate {size} bytes"),
            place => Ok(place),
        }
    }
}

/// Serialises a header map, all numbers little-endian `u32`: the number of headers; the lengths of each name and value; each
/// name and value, followed by a NUL.
pub(super) fn serialize(headers: &Headers) -> Result<Vec<u8>> {
    let mut map = u32::try_from(headers.len())?.to_le_bytes().to_vec();
    for text in headers.iter().flat_map(|(name, value)| [name, value]) {
        map.extend(u32::try_from(text.len())?.to_le_bytes());
    }
    for text in headers.iter().flat_map(|(name, value)| [name, value]) {
        map.extend(text);
        map.push(0);
    }
    Ok(map)
}

/// Reads a header map that the filter serialised, which must be UTF-8.
pub(crate) fn deserialize(map: &[u8]) -> Result<Vec<(String, String)>> {
    let word = |index: usize| -> Result<usize> {
        let word = map.get(index * 4..).and_then(|rest| rest.first_chunk::<4>());
        let word = word.ok_or_else(|| format_err!("a header map of {} bytes is truncated", map.len()))?;
        Ok(usize::try_from(u32::from_le_bytes(*word))?)
    };
    let count = word(0)?;
    let mut place = (1 + 2 * count) * 4;
    let mut text = |index: usize| -> Result<String> {
        let (start, end) = (place, place + word(index)?);
        place = end + 1;
        match (map.get(start..end), map.get(end)) {
            (Some(text), Some(0)) => Ok(String::from_utf8(text.to_vec())?),
            _ => bail!("text {index} of a header map is truncated"),
        }
    };
    (0..count).map(|header| Ok((text(1 + 2 * header)?, text(2 + 2 * header)?))).collect()
}
