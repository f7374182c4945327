-- For wrk: POST a body of as many bytes as the argument says. `wrk -s post.lua URL -- 1024`
function init(args)
    local pattern = "0123456789abcdef"
    wrk.method = "POST"
    wrk.body = pattern:rep(tonumber(args[1]) / #pattern)
end
