//! Websocket frames as a server meets them: its own are made once, the client's are counted, few are unmasked.

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// A complete frame from the server.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ ..126 => frame.push(length as u8),
        length @ 126..65_536 => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// A frame of the client, where it lies in the buffer, still masked.
pub struct ClientFrame<'a> {
    /// The first byte: the last frame of its message, extensions, opcode.
    pub head: u8,
    mask: [u8; 4],
    masked: &'a [u8],
    /// Of the whole frame in the buffer.
    pub num_bytes: usize,
}

impl<'a> ClientFrame<'a> {
    /// The frame at the start of the buffer; `Ok(None)` where it is not complete, an error where it is not masked.
    pub fn parse(buffer: &'a [u8]) -> Result<Option<Self>, &'static str> {
        let &[head, length, ..] = buffer else { return Ok(None) };
        if length & 0x80 == 0 {
            return Err("a client's frame that is not masked");
        }
        let (length, at) = match length & 0x7f {
            126 if buffer.len() >= 4 => (usize::from(u16::from_be_bytes([buffer[2], buffer[3]])), 4),
            127 if buffer.len() >= 10 => {
                let length = buffer[2..10].try_into().map(u64::from_be_bytes).expect("eight bytes");
                (usize::try_from(length).map_err(|_| "a frame beyond all memory")?, 10)
            }
            126 | 127 => return Ok(None),
            length => (usize::from(length), 2),
        };
        let Some(end) = length.checked_add(at + 4) else { return Err("a frame beyond all memory") };
        if buffer.len() < end {
            return Ok(None);
        }
        let mask = buffer[at..at + 4].try_into().expect("four bytes");
        Ok(Some(ClientFrame { head, mask, masked: &buffer[at + 4..end], num_bytes: end }))
    }

    pub fn len(&self) -> usize {
        self.masked.len()
    }

    /// The byte at `index`, unmasked.
    pub fn byte(&self, index: usize) -> u8 {
        self.masked[index] ^ self.mask[index % 4]
    }

    /// Whether `text` stands at `index`.
    pub fn has(&self, index: usize, text: &[u8]) -> bool {
        text.iter().enumerate().all(|(n, &byte)| self.byte(index + n) == byte)
    }

    /// The whole payload, unmasked into `payload`.
    pub fn unmask_into(&self, payload: &mut Vec<u8>) {
        payload.clear();
        payload.extend((0..self.len()).map(|index| self.byte(index)));
    }
}
