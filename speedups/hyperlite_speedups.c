/* The decoder of header blocks, for CPython (RFC 7541), with the check of a response's fields (RFC 9113 8.2).
 *
 * For any input it returns what hyperlite's decoder in Python returns, or raises the class that one raises.
 * It allocates for bytes that have come, never for a length that a block announces. A connection calls its
 * decoder under its own lock. Without the GIL, a critical section guards it against other callers.
 *
 * No Python code runs while a reference is borrowed: fields are tuples of bytes. A block that is being read
 * is in a struct on the stack, so a finalizer that a collection of garbage calls finds the decoder whole.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <structmember.h>

#if PY_VERSION_HEX < 0x030D0000
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION() }
#endif

enum {
    INTERFACE = 1, /* hyperlite takes no module that was built for another */
    STATIC_ENTRIES = 61, STATIC_VALUES = 16, SYMBOLS = 256, ENTRY_OVERHEAD = 32, /* RFC 7541 section 4.1 */
    SHORTEST = 5, LONGEST = 30, /* bits of a code */
    TABLE_SIZE = 4096, /* hyperlite never sends SETTINGS_HEADER_TABLE_SIZE */
    MOST_ENTRIES = TABLE_SIZE / ENTRY_OVERHEAD,
    MOST_BYTES = 5,   /* of a number, behind its prefix: 2 ** 32 has five */
    TEXT = 2048,      /* bytes of a string that is decoded on the stack */
    MAX_BLOCK = 4096, /* bytes of a block that is remembered */
};

/* The static table (appendix A): its names, and the values of the first ones; those of the others are empty. */
static const char *const static_names[STATIC_ENTRIES] = {
    ":authority", ":method", ":method", ":path", ":path", ":scheme", ":scheme", ":status", ":status",
    ":status", ":status", ":status", ":status", ":status", "accept-charset", "accept-encoding",
    "accept-language", "accept-ranges", "accept", "access-control-allow-origin", "age", "allow",
    "authorization", "cache-control", "content-disposition", "content-encoding", "content-language",
    "content-length", "content-location", "content-range", "content-type", "cookie", "date", "etag",
    "expect", "expires", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range",
    "if-unmodified-since", "last-modified", "link", "location", "max-forwards", "proxy-authenticate",
    "proxy-authorization", "range", "referer", "refresh", "retry-after", "server", "set-cookie",
    "strict-transport-security", "transfer-encoding", "user-agent", "vary", "via", "www-authenticate",
};
static const char *const static_values[STATIC_VALUES] = {
    "", "GET", "POST", "/", "/index.html", "http", "https", "200", "204", "206", "304", "400", "404", "500",
    "", "gzip, deflate",
};

/* The lengths of the codes of the 256 bytes, and of EOS (appendix B). */
static const uint8_t code_lengths[SYMBOLS + 1] = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8,
    7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7,
    7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23,
    24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22,
    23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24,
    20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
    27, 27, 27, 26, 30,
};

/* A step of the automaton that decodes the Huffman code: it takes four bits. */
typedef struct { uint8_t node, symbol, emits, fails; } Step;

typedef struct {
    PyObject *static_table;
    Step steps[SYMBOLS][16];    /* by the node of the tree of codes, and the four bits */
    uint8_t may_end[SYMBOLS];   /* at these nodes nothing has come but padding */
    uint8_t in_names[SYMBOLS];  /* bytes that may stand in the name of a field */
} State;

typedef struct {
    PyObject_HEAD
    State *state;
    Py_ssize_t max_header_list;
    /* The dynamic table: a ring of fields, of which `youngest` was inserted last. */
    PyObject *entries[MOST_ENTRIES];
    int youngest, count;
    int64_t size, max_size;
    /* The last block, if it always says the same; its fields, and how many of them it inserts. */
    PyObject *block, *fields;
    int inserted;
    char regular; /* as in hyperlite's decoder in Python */
} Decoder;

/* A block that is being read. */
typedef struct {
    const uint8_t *at, *end;
    int inserted;
    int changes; /* it may say something else next time, or is secret */
} Reader;

typedef struct { uint8_t length; const char *text; } Word;
#define WORD(text) {sizeof text - 1, text}
static const Word secrets[] = {
    WORD("authorization"), WORD("cookie"), WORD("proxy-authorization"), WORD("set-cookie"), {0, NULL},
};
static const Word of_connections[] = {
    WORD("connection"), WORD("keep-alive"), WORD("proxy-connection"), WORD("transfer-encoding"),
    WORD("upgrade"), {0, NULL},
};

static int is_one_of(PyObject *name, const Word *word)
{
    for (; word->length; word++)
        if (PyBytes_GET_SIZE(name) == word->length
            && !memcmp(PyBytes_AS_STRING(name), word->text, word->length))
            return 1;
    return 0;
}

/* Set an exception of hpack's; the reason may have a %lld in it. Returns NULL. */
static void *fail(const char *kind, const char *reason, int64_t number)
{
    PyObject *hpack = PyImport_ImportModule("hpack");
    PyObject *exception = hpack ? PyObject_GetAttrString(hpack, kind) : NULL;
    if (exception)
        PyErr_Format(exception, reason, (long long)number);
    Py_XDECREF(exception);
    Py_XDECREF(hpack);
    return NULL;
}

/* Return the step that four bits take from a node. Two branches lead to other nodes, or to ~symbol. */
static Step make_step(int16_t tree[SYMBOLS][2], int node, int bits)
{
    Step step = {0, 0, 0, 0};
    for (int bit = 3; bit >= 0; bit--) {
        int branch = tree[node][bits >> bit & 1];
        node = branch > 0 ? branch : 0;
        step.fails |= branch == ~SYMBOLS; /* EOS */
        if (branch < 0) {
            step.symbol = (uint8_t)~branch;
            step.emits = 1;
        }
    }
    step.node = (uint8_t)node;
    return step;
}

/* Make the automaton. Codes of one length stand in the order of their symbols, shorter before longer ones. */
static void make_steps(State *state)
{
    int16_t tree[SYMBOLS][2] = {{0}};
    uint32_t code = 0;
    int nodes = 1, node = 0;
    for (int length = SHORTEST; length <= LONGEST; length++, code <<= 1)
        for (int symbol = 0; symbol <= SYMBOLS; symbol++) {
            if (code_lengths[symbol] != length)
                continue;
            int16_t *branch = &tree[0][code >> (length - 1)];
            for (int bit = length - 2; bit >= 0; bit--) {
                if (!*branch)
                    *branch = (int16_t)nodes++;
                branch = &tree[*branch][code >> bit & 1];
            }
            *branch = (int16_t)~symbol;
            code++;
        }
    for (int padding = 0; padding < 8; padding++, node = tree[node][1])
        state->may_end[node] = 1;
    for (node = 0; node < SYMBOLS; node++)
        for (int bits = 0; bits < 16; bits++)
            state->steps[node][bits] = make_step(tree, node, bits);
}

/* Decode into `text`, or only count if that is NULL; returns the number of bytes, -1 for no code.
 *
 * A step that completes no symbol writes a 0, in whose place the next one comes. Behind the last byte this
 * is the 0 that ends a bytes object, or a byte of the stack: the last step of a code of 5 bits completes it. */
static Py_ssize_t decode_huffman(const State *state, const uint8_t *data, Py_ssize_t length, uint8_t *text)
{
    Py_ssize_t count = 0;
    int node = 0;
    for (Py_ssize_t at = 0; at < length; at++)
        for (int shift = 4; shift >= 0; shift -= 4) {
            Step step = state->steps[node][data[at] >> shift & 15];
            if (step.fails)
                return -1;
            if (text)
                text[count] = step.symbol;
            count += step.emits;
            node = step.node;
        }
    return state->may_end[node] ? count : -1;
}

/* Return a number (RFC 7541 section 5.1); -1, with an exception, if it has no end, or too many bytes. */
static int64_t read_integer(Reader *reader, int bits)
{
    int64_t full = (1 << bits) - 1, number = full;
    if (reader->at < reader->end && (number = *reader->at++ & full) < full)
        return number;
    for (int shift = 0; shift < 7 * MOST_BYTES && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        number += (int64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return number;
    }
    fail("HPACKDecodingError", "A number is cut off, or longer than any that is of use", 0);
    return -1;
}

/* Return a string (RFC 7541 section 5.2). */
static PyObject *read_string(const State *state, Reader *reader)
{
    int coded = reader->at < reader->end && *reader->at & 0x80;
    int64_t length = read_integer(reader, 7);
    if (length < 0)
        return NULL;
    if (length > reader->end - reader->at)
        return fail("HPACKDecodingError", "Truncated header block", 0);
    const uint8_t *data = reader->at;
    reader->at += length;
    if (!coded)
        return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)length);
    uint8_t text[TEXT];
    int is_short = length <= TEXT * SHORTEST / 8;
    Py_ssize_t count = decode_huffman(state, data, (Py_ssize_t)length, is_short ? text : NULL);
    if (count < 0)
        return fail("HPACKDecodingError", "Invalid Huffman string", 0);
    PyObject *string = PyBytes_FromStringAndSize(is_short ? (const char *)text : NULL, count);
    if (string && !is_short)
        decode_huffman(state, data, (Py_ssize_t)length, (uint8_t *)PyBytes_AS_STRING(string));
    return string;
}

/* Return how large a field is in a table, and in a header list. */
static int64_t size_of(PyObject *field)
{
    return (int64_t)PyBytes_GET_SIZE(PyTuple_GET_ITEM(field, 0))
           + PyBytes_GET_SIZE(PyTuple_GET_ITEM(field, 1)) + ENTRY_OVERHEAD;
}

/* Return the place in the ring of the entry that is so many entries older than the youngest. */
static PyObject **aged(Decoder *self, int age)
{
    return &self->entries[(self->youngest - age + MOST_ENTRIES) % MOST_ENTRIES];
}

static void evict(Decoder *self, int64_t room)
{
    while (self->size > room && self->count) {
        PyObject **oldest = aged(self, --self->count);
        self->size -= size_of(*oldest);
        Py_CLEAR(*oldest);
    }
}

/* Insert a field, which may be an entry already; one that is larger than the table leaves it empty. */
static void insert(Decoder *self, PyObject *field)
{
    int64_t size = size_of(field);
    Py_INCREF(field);
    evict(self, self->max_size - size);
    if (size <= self->max_size) {
        self->youngest = (self->youngest + 1) % MOST_ENTRIES;
        self->count++;
        self->size += size;
        *aged(self, 0) = Py_NewRef(field);
    }
    Py_DECREF(field);
}

/* Return the field of either table that a number names (RFC 7541 section 2.3.3), borrowed. */
static PyObject *entry_of(Decoder *self, Reader *reader, int64_t index)
{
    if (index > 0 && index <= STATIC_ENTRIES)
        return PyTuple_GET_ITEM(self->state->static_table, index - 1);
    reader->changes = 1;
    if (index > STATIC_ENTRIES && index - STATIC_ENTRIES <= self->count)
        return *aged(self, (int)(index - STATIC_ENTRIES - 1));
    return fail("InvalidTableIndexError", "Invalid table index %lld", index);
}

/* Tell whether a response may have a field behind its status (RFC 9113 sections 8.2.1 and 8.2.2). */
static int is_regular(const State *state, PyObject *field)
{
    PyObject *name = PyTuple_GET_ITEM(field, 0), *value = PyTuple_GET_ITEM(field, 1);
    const char *text = PyBytes_AS_STRING(name);
    Py_ssize_t length = PyBytes_GET_SIZE(name);
    for (Py_ssize_t at = 0; at < length; at++)
        if (!state->in_names[(uint8_t)text[at]])
            return 0;
    if (!length || is_one_of(name, of_connections))
        return 0;
    text = PyBytes_AS_STRING(value);
    length = PyBytes_GET_SIZE(value);
    char first = text[0], last = text[length ? length - 1 : 0]; /* an empty value ends with a 0 */
    return first != ' ' && first != '\t' && last != ' ' && last != '\t' && !memchr(text, 0, (size_t)length)
           && !memchr(text, '\r', (size_t)length) && !memchr(text, '\n', (size_t)length);
}

/* Read one field (RFC 7541 section 6), and insert it if the block says so. */
static PyObject *read_field(Decoder *self, Reader *reader)
{
    uint8_t first = *reader->at;
    if (first >> 5 == 1)
        return fail("HPACKDecodingError", "Table size update not at the start of the block", 0);
    int64_t index = read_integer(reader, first & 0x80 ? 7 : first & 0x40 ? 6 : 4);
    PyObject *entry = NULL, *name, *value, *field;
    if (index < 0 || ((index || first & 0x80) && !(entry = entry_of(self, reader, index))))
        return NULL;
    if (first & 0x80)
        return Py_NewRef(entry);
    name = entry ? Py_NewRef(PyTuple_GET_ITEM(entry, 0)) : read_string(self->state, reader);
    value = name ? read_string(self->state, reader) : NULL;
    field = value ? PyTuple_Pack(2, name, value) : NULL;
    if (field) {
        reader->changes |= first >> 4 == 1 || is_one_of(name, secrets);
        if (first & 0x40) {
            insert(self, field);
            reader->inserted++;
        }
    }
    Py_XDECREF(name);
    Py_XDECREF(value);
    return field;
}

/* Take the updates of the table's size at the start of a block; returns -1 with an exception set. */
static int read_size_updates(Decoder *self, Reader *reader)
{
    while (reader->at < reader->end && *reader->at >> 5 == 1) {
        int64_t size = read_integer(reader, 5);
        if (size > TABLE_SIZE)
            fail("InvalidTableSizeError", "Encoder exceeded max allowable table size", 0);
        if (size < 0 || size > TABLE_SIZE)
            return -1;
        reader->changes = 1;
        self->max_size = size;
        evict(self, size);
    }
    return 0;
}

/* Read the fields into a list; returns -1 with an exception set. */
static int read_fields(Decoder *self, Reader *reader, PyObject *fields)
{
    int64_t room = self->max_header_list;
    self->regular = 1;
    while (reader->at < reader->end) {
        PyObject *field = read_field(self, reader);
        int failed = !field || PyList_Append(fields, field) < 0;
        if (!failed && (failed = (room -= size_of(field)) < 0))
            fail("OversizedHeaderListError", "a header list of more than %lld bytes", self->max_header_list);
        if (!failed && self->regular && PyList_GET_SIZE(fields) > 1)
            self->regular = (char)is_regular(self->state, field);
        Py_XDECREF(field);
        if (failed)
            return -1;
    }
    return 0;
}

/* Return the fields of the last block, which has come again. What it inserted are the youngest entries, the
 * first of them is the oldest; there is room for all, so that each is here until it is inserted again. */
static PyObject *repeat(Decoder *self)
{
    PyObject *fields = Py_NewRef(self->fields);
    for (int again = 0; again < self->inserted && self->inserted <= self->count; again++)
        insert(self, *aged(self, self->inserted - 1));
    return fields;
}

static PyObject *read_block(Decoder *self, PyObject *block)
{
    const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(block);
    Py_ssize_t length = PyBytes_GET_SIZE(block);
    Reader reader = {data, data + length, 0, 0};
    if (self->block && PyBytes_GET_SIZE(self->block) == length
        && !memcmp(PyBytes_AS_STRING(self->block), data, (size_t)length))
        return repeat(self);
    Py_CLEAR(self->block);
    Py_CLEAR(self->fields);
    PyObject *fields = PyList_New(0);
    if (!fields || read_size_updates(self, &reader) < 0 || read_fields(self, &reader, fields) < 0)
        Py_CLEAR(fields);
    else if (!reader.changes && reader.inserted <= self->count && length <= MAX_BLOCK) {
        self->inserted = reader.inserted;
        Py_XSETREF(self->fields, Py_NewRef(fields));
        Py_XSETREF(self->block, Py_NewRef(block));
    }
    return fields;
}

static PyObject *decode(Decoder *self, PyObject *block)
{
    if (!PyBytes_CheckExact(block))
        return PyErr_Format(PyExc_TypeError, "a block is bytes, not %s", Py_TYPE(block)->tp_name);
    PyObject *fields;
    Py_BEGIN_CRITICAL_SECTION(self);
    fields = read_block(self, block);
    Py_END_CRITICAL_SECTION();
    return fields;
}

static PyObject *new_decoder(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"max_header_list", NULL};
    PyObject *limit;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Decoder", keywords, &limit))
        return NULL;
    Py_ssize_t max_header_list = PyNumber_AsSsize_t(limit, NULL); /* more than memory has is the most */
    if (max_header_list == -1 && PyErr_Occurred())
        return NULL;
    Decoder *self = (Decoder *)type->tp_alloc(type, 0);
    if (self) {
        self->state = PyType_GetModuleState(type);
        self->max_header_list = max_header_list < 0 ? -1 : max_header_list; /* of which sizes are taken */
        self->max_size = TABLE_SIZE;
    }
    return (PyObject *)self;
}

static void dealloc(Decoder *self)
{
    PyTypeObject *type = Py_TYPE(self);
    evict(self, -1);
    Py_XDECREF(self->block);
    Py_XDECREF(self->fields);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef decoder_methods[] = {
    {"decode", (PyCFunction)(void (*)(void))decode, METH_O,
     "decode(block, /)\n--\n\nReturn the fields of a block, in a list that is not to be changed."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef decoder_members[] = {
    {"regular", T_BOOL, offsetof(Decoder, regular), READONLY,
     "Whether a response may have the fields of the last block, but for the first, behind its status."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot decoder_slots[] = {
    {Py_tp_doc, "A decoder of header blocks (RFC 7541), for one connection."},
    {Py_tp_new, new_decoder},
    {Py_tp_dealloc, dealloc},
    {Py_tp_methods, decoder_methods},
    {Py_tp_members, decoder_members},
    {0, NULL},
};

static PyType_Spec decoder_spec = {
    .name = "hyperlite_speedups.Decoder", .basicsize = sizeof(Decoder), .slots = decoder_slots,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
};

static int execute(PyObject *module)
{
    State *state = PyModule_GetState(module);
    make_steps(state);
    for (const char *byte = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"; *byte; byte++)
        state->in_names[(uint8_t)*byte] = 1; /* RFC 9110 section 5.6.2 */
    if (!(state->static_table = PyTuple_New(STATIC_ENTRIES)))
        return -1;
    for (int at = 0; at < STATIC_ENTRIES; at++) {
        PyObject *field = Py_BuildValue("(yy)", static_names[at], at < STATIC_VALUES ? static_values[at] : "");
        if (!field)
            return -1;
        PyTuple_SET_ITEM(state->static_table, at, field);
    }
    PyObject *decoder = PyType_FromModuleAndSpec(module, &decoder_spec, NULL);
    int added = decoder ? PyModule_AddType(module, (PyTypeObject *)decoder) : -1;
    Py_XDECREF(decoder);
    return added < 0 ? -1 : PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static void release(void *module)
{
    Py_XDECREF(((State *)PyModule_GetState(module))->static_table);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "hyperlite_speedups",
    .m_doc = "hyperlite's decoder of header blocks, compiled.",
    .m_size = sizeof(State), .m_slots = slots, .m_free = release,
};

PyMODINIT_FUNC PyInit_hyperlite_speedups(void)
{
    return PyModuleDef_Init(&definition);
}
