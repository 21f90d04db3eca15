/**
 * Reads Python pickles of protocols 2 to 5 as data. Nothing is imported, called or set: a global is
 * only a name, and what a name may build is decided by the caller's short list. Opcodes that files of
 * tensors have no use for are refused, and so is any pickle whose objects would take much more memory
 * than its bytes. Objects of foreign classes become marks where the caller wants them. Format:
 * CPython's Lib/pickletools.py.
 *
 * @module
 */

import { LONGEST_NAME, PickleBytes } from "./pickle_bytes.ts";
import {
  keyText,
  PickleDict,
  PickleGlobal,
  type PickleHost,
  type PickleKey,
  PickleMark,
  PickleTuple,
  type PickleValue,
} from "./pickle_values.ts";

/** A pickle's value, and the first byte after it. */
export interface Unpickled<X extends object> {
  readonly value: PickleValue<X>;
  readonly end: number;
}

/** Objects may take this much, and as much as the file that the pickle is in. */
const FREE_BYTES = 32 << 20;
/** About what an object of each kind takes, in bytes. */
const COST = { dict: 320, list: 96, tuple: 96, text: 48, number: 24, memo: 96, item: 64 };
/**
 * Reads one pickle.
 *
 * @param start Its first byte.
 * @param fileBytes Bytes of the file that it is in, which justify as much memory.
 * @throws {SyntaxError} When the bytes are damaged, use an opcode or a name that is not allowed, or
 *   build more than their size justifies.
 */
export function readPickle<X extends object>(
  bytes: Uint8Array,
  host: PickleHost<X>,
  start = 0,
  fileBytes: number = bytes.length,
): Unpickled<X> {
  return new Machine(bytes, host, start, fileBytes).run();
}

const latin1 = new TextDecoder("latin1");

/** Python's pickle machine: a stack, marks on it, and a memo. */
class Machine<X extends object> {
  readonly #in: PickleBytes;
  readonly #stack: PickleValue<X>[] = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue<X>>();
  #budget: number;

  constructor(
    bytes: Uint8Array,
    private readonly host: PickleHost<X>,
    start: number,
    fileBytes: number,
  ) {
    this.#in = new PickleBytes(bytes, start);
    this.#budget = FREE_BYTES + fileBytes;
  }

  run(): Unpickled<X> {
    if (this.#in.byte() !== 0x80) this.#in.fail("must begin with a protocol number");
    const protocol = this.#in.byte();
    if (protocol < 2 || protocol > 5) {
      this.#in.fail(`must be of protocol 2 to 5, got ${protocol}`);
    }
    while (true) {
      const opcode = this.#in.opcode();
      if (opcode === 0x2e) {
        const value = this.#pop();
        if (this.#stack.length > 0) this.#in.fail("must end with one value");
        return { value, end: this.#in.at };
      }
      if (
        !this.#constant(opcode) && !this.#container(opcode) && !this.#reference(opcode) &&
        !this.#object(opcode)
      ) {
        const text = opcode.toString(16).padStart(2, "0");
        this.#in.fail(`must not use opcode 0x${text}, which no checkpoint needs`);
      }
    }
  }

  /** Opcodes that push a value of their own. */
  #constant(opcode: number): boolean {
    switch (opcode) {
      case 0x4e: // NONE
        return this.#push(null, COST.number);
      case 0x88: // NEWTRUE
        return this.#push(true, COST.number);
      case 0x89: // NEWFALSE
        return this.#push(false, COST.number);
      case 0x4b: // BININT1
        return this.#push(this.#in.byte(), COST.number);
      case 0x4d: // BININT2
        return this.#push(this.#in.view.getUint16(this.#in.take(2), true), COST.number);
      case 0x4a: // BININT
        return this.#push(this.#in.view.getInt32(this.#in.take(4), true), COST.number);
      case 0x47: // BINFLOAT
        return this.#push(this.#in.view.getFloat64(this.#in.take(8)), COST.number);
      case 0x8a: // LONG1
        return this.#push(this.#in.integer(this.#in.byte()), COST.text);
      case 0x8b: // LONG4
        return this.#push(this.#in.integer(this.#in.length(4)), COST.text);
      case 0x8c: // SHORT_BINUNICODE
        return this.#text(this.#in.byte());
      case 0x58: // BINUNICODE
        return this.#text(this.#in.length(4));
      case 0x8d: // BINUNICODE8
        return this.#text(this.#in.length(8));
      case 0x55: // SHORT_BINSTRING, Python 2's str
        return this.#legacyString(this.#in.byte());
      case 0x54: // BINSTRING
        return this.#legacyString(this.#in.length(4));
      case 0x43: // SHORT_BINBYTES
        return this.#raw(this.#in.byte());
      case 0x42: // BINBYTES
        return this.#raw(this.#in.length(4));
      default:
        return false;
    }
  }

  /** Opcodes that make or fill a container. */
  #container(opcode: number): boolean {
    switch (opcode) {
      case 0x28: // MARK
        this.#charge(COST.number);
        this.#marks.push(this.#stack.length);
        return true;
      case 0x7d: // EMPTY_DICT
        return this.#push(new PickleDict<X>(), COST.dict);
      case 0x5d: // EMPTY_LIST
        return this.#push([], COST.list);
      case 0x29: // EMPTY_TUPLE
        return this.#push(new PickleTuple<X>([]), COST.tuple);
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#tuple(this.#popMany(opcode - 0x84));
      case 0x74: // TUPLE
        return this.#tuple(this.#popMark());
      case 0x61: // APPEND
        return this.#append(this.#popMany(1));
      case 0x65: // APPENDS
        return this.#append(this.#popMark());
      case 0x73: // SETITEM
        return this.#setItems(this.#popMany(2));
      case 0x75: // SETITEMS
        return this.#setItems(this.#popMark());
      default:
        return false;
    }
  }

  /** Opcodes that refer to something: the memo, a name, the caller's objects. */
  #reference(opcode: number): boolean {
    switch (opcode) {
      case 0x71: // BINPUT
        return this.#remember(this.#in.byte());
      case 0x72: // LONG_BINPUT
        return this.#remember(this.#in.view.getUint32(this.#in.take(4), true));
      case 0x94: // MEMOIZE
        return this.#remember(this.#memo.size);
      case 0x68: // BINGET
        return this.#recall(this.#in.byte());
      case 0x6a: // LONG_BINGET
        return this.#recall(this.#in.view.getUint32(this.#in.take(4), true));
      case 0x95: // FRAME: a hint for buffered reading
        this.#in.length(8);
        return true;
      case 0x63: // GLOBAL
        return this.#global(this.#in.line(), this.#in.line());
      case 0x93: { // STACK_GLOBAL
        const [module, name] = this.#popMany(2);
        if (typeof module !== "string" || typeof name !== "string") {
          this.#in.fail("must name a module and something in it by strings");
        }
        return this.#global(module, name);
      }
      case 0x51: // BINPERSID
        return this.#push(this.host.persistent(this.#pop()), COST.tuple);
      case 0x52: // REDUCE
        return this.#reduce();
      case 0x62: // BUILD
        return this.#build();
      default:
        return false;
    }
  }

  /** Opcodes that only objects of classes need: for hosts that keep such as marks. */
  #object(opcode: number): boolean {
    const { host } = this;
    if (!host.mark) return false;
    switch (opcode) {
      case 0x81: // NEWOBJ
        return this.#reduce();
      case 0x92: { // NEWOBJ_EX
        const options = this.#pop();
        if (!(options instanceof PickleDict)) this.#in.fail("must name options by a dict");
        return this.#reduce();
      }
      case 0x8f: // EMPTY_SET
        return this.#push(host.mark("builtins.set", []), COST.dict);
      case 0x90: // ADDITEMS
        return this.#append(this.#popMark());
      case 0x91: // FROZENSET
        return this.#push(host.mark("builtins.frozenset", this.#popMark()), COST.dict);
      case 0x30: // POP
        this.#pop();
        return true;
      case 0x31: // POP_MARK
        this.#popMark();
        return true;
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.#raw(this.#in.length(8));
      default:
        return false;
    }
  }

  #reduce(): boolean {
    const [callable, args] = this.#popMany(2);
    if (args instanceof PickleTuple) {
      if (callable instanceof PickleGlobal) {
        return this.#push(this.host.build(callable.name, args.items), COST.dict);
      }
      if (callable instanceof PickleMark && this.host.mark) {
        return this.#push(this.host.mark(callable.name, args.items), COST.dict);
      }
    }
    return this.#in.fail("must apply a named constructor to a tuple");
  }

  /** A state_dict carries versions of its modules as an attribute, which is dropped. */
  #build(): boolean {
    const state = this.#pop(), target = this.#stack.at(-1);
    if (target !== undefined && this.host.setState?.(target, state)) return true;
    if (target instanceof PickleMark) {
      target.state = state;
      return true;
    }
    const harmless = target instanceof PickleDict && state instanceof PickleDict &&
      [...state.keys()].every((key) => key === "_metadata");
    if (!harmless) this.#in.fail("must set no attribute but the _metadata of a dict");
    return true;
  }

  #global(module: string, name: string): boolean {
    const dotted = `${module}.${name}`;
    if (!this.host.allows(dotted)) {
      this.#in.fail(`must refer to nothing but what tensors need, got ${JSON.stringify(dotted)}`);
    }
    return this.#push(new PickleGlobal(dotted), COST.tuple + 2 * dotted.length);
  }

  #tuple(items: PickleValue<X>[]): boolean {
    return this.#push(new PickleTuple<X>(items), COST.tuple);
  }

  #append(items: PickleValue<X>[]): boolean {
    const target = this.#stack.at(-1);
    const list = target instanceof PickleMark ? target.elements ??= [] : target;
    if (!Array.isArray(list)) this.#in.fail("must append to a list");
    for (const item of items) list.push(item);
    return true;
  }

  #setItems(items: PickleValue<X>[]): boolean {
    const target = this.#stack.at(-1);
    const dict = target instanceof PickleMark ? target.items ??= new PickleDict<X>() : target;
    if (!(dict instanceof PickleDict)) this.#in.fail("must set items of a dict");
    if (items.length % 2 !== 0) this.#in.fail("must set pairs of a key and a value");
    for (let i = 0; i < items.length; i += 2) {
      this.#charge(COST.item);
      dict.set(this.#key(items[i]!, dict), items[i + 1]!);
    }
    return true;
  }

  #key(item: PickleValue<X>, dict: PickleDict<X>): PickleKey {
    // Bytes of Python 3 stand for the names that Python 2 wrote.
    const key = item instanceof Uint8Array && item.length <= LONGEST_NAME
      ? latin1.decode(item)
      : item;
    if (typeof key === "string" || typeof key === "number" || typeof key === "bigint") return key;
    if (!this.host.mark) this.#in.fail("must key dicts by strings or numbers");
    const text = keyText(key);
    this.#charge(COST.text + 2 * text.length);
    return dict.has(text) ? `${text} ${dict.size}` : text;
  }

  #remember(key: number): boolean {
    const value = this.#stack.at(-1);
    if (value === undefined || this.#stack.length === this.#marks.at(-1)) {
      this.#in.fail("must have a value to remember");
    }
    this.#charge(COST.memo);
    this.#memo.set(key, value);
    return true;
  }

  #recall(key: number): boolean {
    const value = this.#memo.get(key);
    if (value === undefined) this.#in.fail(`must have remembered value ${key} before it is used`);
    return this.#push(value, COST.number);
  }

  #push(value: PickleValue<X>, cost: number): true {
    this.#charge(cost);
    this.#stack.push(value);
    return true;
  }

  #text(length: number): boolean {
    const text = this.#in.text(length);
    return this.#push(text, COST.text + 2 * text.length);
  }

  #legacyString(length: number): boolean {
    const bytes = this.#in.span(length);
    const value = this.host.legacyString?.(bytes) ?? latin1.decode(bytes);
    return this.#push(value, COST.text + (typeof value === "string" ? length : COST.list));
  }

  #raw(length: number): boolean {
    return this.#push(this.#in.span(length).slice(), COST.list + length);
  }

  #pop(): PickleValue<X> {
    return this.#popMany(1)[0]!;
  }

  #popMany(count: number): PickleValue<X>[] {
    if (this.#stack.length - count < (this.#marks.at(-1) ?? 0)) {
      this.#in.fail("must have enough values on its stack");
    }
    return this.#stack.splice(this.#stack.length - count, count);
  }

  #popMark(): PickleValue<X>[] {
    const mark = this.#marks.pop();
    if (mark === undefined) this.#in.fail("must have a mark on its stack");
    return this.#stack.splice(mark);
  }

  #charge(bytes: number): void {
    this.#budget -= bytes;
    if (this.#budget < 0) this.#in.fail("must not build more than its size justifies");
  }
}
