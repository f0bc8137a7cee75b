const CALLS = `
def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(PLATFORM + path, data, HEADERS, method=method)
    # Not sent on to where a redirect points.
    request.add_unredirected_header("Authorization", "Bearer " + TOKEN)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def report(what, error):
    detail = error.read().decode() if isinstance(error, urllib.error.HTTPError) else ""
    print(what, error, detail, file=sys.stderr, flush=True)


`;

const HEARTBEATS = `def send_heartbeats():
    while True:
        time.sleep(30)
        try:
            call("POST", "/registry/heartbeat", {"workspace_id": WORKSPACE})
        except (OSError, http.client.HTTPException) as error:
            report("A heartbeat failed:", error)


`;

/** What follows the settings in the Python sample: register, heartbeats, read, answer, acknowledge. */
export const PYTHON_AGENT = `

def answer(text):
    return "echo: " + text


${CALLS.trimStart()}def reply(row):
    text = answer(row["data"]["text"])
    # The same key for the same message: a repeat is recognised.
    key = "reply-" + row["id"]
    if row["source"] == "canvas_user":
        body = {"message": text, "in_reply_to": row["id"], "idempotency_key": key}
        call("POST", "/workspaces/" + WORKSPACE + "/notify", body)
        return
    parts = [{"kind": "text", "type": "text", "text": text}]
    message = {"kind": "message", "role": "agent", "messageId": key, "parts": parts}
    message["metadata"] = {"in_reply_to": row["id"]}
    body = {"jsonrpc": "2.0", "id": key, "method": "message/send", "params": {"message": message}}
    call("POST", "/workspaces/" + row["source_id"] + "/a2a", body)


def handle(row):
    # An answer to a message of this agent is not answered.
    if row.get("in_reply_to"):
        return
    try:
        reply(row)
    except urllib.error.HTTPError as error:
        if error.code in (401, 429) or error.code >= 500:
            raise
        report("A message was not answered:", error)


${HEARTBEATS}def read_messages():
    feed = "/workspaces/" + WORKSPACE + "/activity"
    for row in call("GET", feed + "?type=a2a_receive&unacknowledged=true&wait=25"):
        handle(row)
        call("POST", feed + "/ack", {"up_to": row["id"]})


try:
    call("POST", "/registry/register", AGENT)
    print("registered", flush=True)
    threading.Thread(target=send_heartbeats, daemon=True).start()
    while True:
        try:
            read_messages()
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code == 401:
                raise
            report("The platform cannot be reached:", error)
            time.sleep(5)
except urllib.error.HTTPError as error:
    report("The platform refused this agent:", error)
    sys.exit(1)
except KeyboardInterrupt:
    pass
`;

/** The same for an agent with a URL, whose own server answers: register, heartbeats. */
export const PYTHON_PUSH_AGENT = `

${CALLS.trimStart()}${HEARTBEATS}try:
    call("POST", "/registry/register", AGENT)
    print("registered", flush=True)
    send_heartbeats()
except urllib.error.HTTPError as error:
    report("The platform refused this agent:", error)
    sys.exit(1)
except KeyboardInterrupt:
    pass
`;
