-- Asks Postern about a request (HTTP forward-auth) with HAProxy's own HTTP client, and does what it answers.
--
-- http-request lua.postern URL NAMES
--   URL    of Postern's HAProxy profile; its host must be an address, for HAProxy's client resolves no names here.
--   NAMES  of the headers that hold credentials, joined by commas; they do not reach the upstream.
--
-- An allow sets the variable txn.postern to "allowed"; the configuration refuses whatever lacks it. A denial is answered
-- as Postern said it, and the request ends here. No answer is a 503.

local TIMEOUT_MS = 2000

-- Headers that Postern alone speaks for. The client's own never pass, whatever the answer holds.
local MANAGED = {
    "x-consumer-username", "x-consumer-id", "x-consumer-custom-id", "x-consumer-groups", "x-authenticated-groups",
    "x-credential-identifier", "x-anonymous-consumer", "x-decision-id",
}

-- Of the client's request: about the connection or the body, which are not passed on, or set below. "Connection" is
-- passed on, for Postern refuses one that names an identity header.
local NOT_ASKED = {
    ["host"] = true, ["content-length"] = true, ["transfer-encoding"] = true, ["expect"] = true, ["upgrade"] = true,
    ["te"] = true, ["trailer"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["http2-settings"] = true,
    ["x-forwarded-for"] = true, ["x-forwarded-host"] = true, ["x-forwarded-method"] = true,
    ["x-forwarded-proto"] = true, ["x-forwarded-uri"] = true,
}

-- Of the answer: about the connection to Postern.
local NOT_ANSWERED = {
    ["connection"] = true, ["content-length"] = true, ["transfer-encoding"] = true, ["keep-alive"] = true,
    ["date"] = true, ["server"] = true,
}

-- HAProxy counts the lines of a header from 0; its client and its replies want lists, from 1.
local function lines(values)
    local list, i = {}, 0
    while values[i] ~= nil do
        list[i + 1] = values[i]
        i = i + 1
    end
    return list
end

-- The client's headers, and the request line as X-Forwarded-*, over whatever the client sent under those names.
local function question(txn)
    local headers = {}
    for name, values in pairs(txn.http:req_get_headers()) do
        if not NOT_ASKED[name] then headers[name] = lines(values) end
    end
    headers["x-forwarded-method"] = { txn.sf:method() }
    headers["x-forwarded-uri"] = { txn.sf:pathq() }      -- raw, as the client sent it
    headers["x-forwarded-host"] = { txn.sf:req_fhdr("host") }
    headers["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" }
    headers["x-forwarded-for"] = { txn.sf:src() }
    return headers
end

local function allow(txn, answer, credentials)
    for _, name in ipairs(MANAGED) do txn.http:req_del_header(name) end
    for name in credentials:gmatch("[^,]+") do txn.http:req_del_header(name) end
    for name, values in pairs(answer.headers) do
        if not NOT_ANSWERED[name] then
            txn.http:req_del_header(name)
            for _, value in ipairs(lines(values)) do
                if value ~= "" then txn.http:req_add_header(name, value) end
            end
        end
    end
    txn:set_var("txn.postern", "allowed")
end

local function deny(txn, answer)
    local headers = {}
    for name, values in pairs(answer.headers or {}) do
        if not NOT_ANSWERED[name] then headers[name] = lines(values) end
    end
    txn:done(txn:reply({ status = answer.status, headers = headers, body = answer.body or "" }))
end

local function unavailable(txn)
    txn:done(txn:reply({
        status = 503,
        headers = { ["content-type"] = { "application/json" }, ["x-postern-code"] = { "fault" } },
        body = '{"code":"fault","message":"The request could not be authorized."}',
    }))
end

-- Only 200 is an allow, and only 4xx and 503 are Postern's denials; a redirect or another server's page is neither.
core.register_action("postern", { "http-req" }, function(txn, url, credentials)
    local client = core.httpclient()
    local answer = client:get({ url = url, headers = question(txn), timeout = TIMEOUT_MS })
    if answer == nil or answer.status == nil or answer.headers == nil then
        unavailable(txn)
    elseif answer.status == 200 and answer.headers["x-decision-id"] ~= nil then
        allow(txn, answer, credentials)
    elseif answer.status >= 400 and answer.headers["x-postern-code"] ~= nil then
        deny(txn, answer)
    elseif answer.status == 400 or answer.status == 414 or answer.status == 431 then
        deny(txn, answer) -- what Postern's HTTP server refused before anyone decided
    else
        unavailable(txn)
    end
end, 2)
