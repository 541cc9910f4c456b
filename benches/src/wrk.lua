-- Makes the requests of a file in turn and looks at each answer. The file is written by wrk.rs.

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(arguments)
    local requests = {}
    for _, request in ipairs(dofile(arguments[1])) do
        table.insert(requests, wrk.format("POST", nil, request.headers, request.body))
    end
    local turn = 0
    request = function()
        turn = turn % #requests + 1
        return requests[turn]
    end
    refused = 0
    refusal = ""
end

function response(status, _, body)
    local answered = status == 200
        and not body:find('"errors":', 1, true)
        and not body:find('"userErrors":[{', 1, true)
    if not answered then
        refused = refused + 1
        refusal = status .. " " .. body:sub(1, 500)
    end
end

function done(summary, latency, _)
    local errors = summary.errors
    local unanswered = errors.connect + errors.read + errors.write + errors.timeout
    for _, thread in ipairs(threads) do
        if thread:get("refused") > 0 then
            io.write("refused ", thread:get("refusal"):gsub("%s+", " "), "\n")
        end
    end
    io.write(string.format("measured %d %d %d %d %d\n", summary.requests, summary.duration, unanswered,
        latency:percentile(50), latency:percentile(99)))
end
