"""Browse a site: forms, an upload, links, cookies, history, a login, robots.txt, and a file to keep."""

import io
import sys

import mechanize

url = sys.argv[1]
browser = mechanize.Browser()
browser.set_handle_refresh(False)
browser.set_handle_gzip(True)
answer = browser.open(url + "/")
print(answer.code, answer.geturl() == url + "/", browser.title(), browser.viewing_html())
print(answer.info()["content-type"], answer.info().get_all("set-cookie"))
browser.select_form(nr=0)
browser["name"] = "Åse"
browser["fast"] = ["yes"]
browser["size"] = ["L"]
print(browser.submit().read())
browser.back()
print(browser.title(), [link.text for link in browser.links()])
browser.follow_link(text="on")
print(browser.title(), browser.reload().code)
browser.open(url + "/upload")
browser.select_form(nr=0)
browser.form.add_file(io.BytesIO(b"contents"), "text/plain", "a.txt")
print(browser.submit().read())
print(browser.open(url + "/moved").read())
print(sorted((cookie.name, cookie.value, cookie.secure) for cookie in browser.cookiejar))
browser.add_password(url + "/private", "me", "secret")
print(browser.open(url + "/private").read(), browser.open(url + "/packed").read())
for path in ("/secret", "/missing"):
    try:
        browser.open(url + path)
    except mechanize.HTTPError as error:
        print(type(error).__name__, error.code, error.msg)
print(browser.open_novisit(url + "/large").read(10), len(browser.open(url + "/large", data=b"posted").read()))
name, headers = browser.retrieve(url + "/large")
with open(name, "rb") as file:
    print(len(file.read()), headers["Content-Length"])
