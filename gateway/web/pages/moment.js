// On a page that leads to sign-in: take along what no server is told, the moment behind "#", which the provider's
// own forms would lose. An rd that ends in "#", with a moment or without, has been through here.

const moment = /^#t=[\d:.]{1,16}$/.exec(location.hash)?.[0];
for (const link of moment ? document.querySelectorAll("a[href*='rd=']") : []) {
  const there = new URL(link.href);
  there.searchParams.set("rd", there.searchParams.get("rd").replace(/#.*/, moment));
  link.href = there;
}
const only = document.querySelector("a[data-at-once]");
if (only) location.replace(only.href);
